"""Sections of docs/performance.md that are measured by themselves, and stay when the page is written anew."""

BEFORE = "## What is measured, and how"


def section_of(page, head):
    """The section under this heading, or nothing."""
    begin = page.find(head + "\n")
    if begin == -1:
        return ""
    end = page.find("\n## ", begin + 1)
    return page[begin:] if end == -1 else page[begin:end + 1]


def put(page, new):
    """The page with the section, in place of the one under the same heading or before how it is measured."""
    old = section_of(page, new.split("\n", 1)[0]) if new else ""
    if old:
        return page.replace(old, new)
    return page.replace(BEFORE, new + BEFORE)
