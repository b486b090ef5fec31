/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads: finding their end while bytes arrive, then parsing them whole (RFC 9112 sections 2 to 6).
 */
#include <string.h>

#include "http/http_internal.h"

/* ---- where it ends -----------------------------------------------------------------------------
 */

static bool fail(struct mutual_error *err, const char *why)
{
    return mu_fail(err, MUTUAL_E_HTTP_MALFORMED, "the HTTP message %s", why);
}

static enum http_step failed(struct mutual_error *err, enum mutual_code code, const char *why)
{
    (void)mu_fail(err, code, "the HTTP message %s", why);
    return HTTP_FAILED;
}

/* The line before `at`, which is its LF; true when it was the empty one that ends the head. */
static enum http_step end_line(struct http_scan *scan, struct mu_slice bytes, size_t at,
                               struct mutual_error *err)
{
    size_t len = at - scan->line;
    if (len == 0 || bytes.data[at - 1] != '\r') {
        return failed(err, MUTUAL_E_HTTP_MALFORMED, "has a line that ends in a bare LF");
    }
    scan->line = at + 1;
    if (len == 1) {
        return scan->lines > 0 ? HTTP_DONE
                               : failed(err, MUTUAL_E_HTTP_MALFORMED, "begins with an empty line");
    }
    scan->lines++;
    return scan->lines <= MU_LIMIT_HTTP_FIELDS + 1
               ? HTTP_MORE
               : failed(err, MUTUAL_E_HTTP_LIMIT, "has too many fields");
}

static enum http_step look_at(struct http_scan *scan, struct mu_slice bytes, size_t at,
                              struct mutual_error *err)
{
    uint8_t byte = bytes.data[at];
    bool after_cr = at > scan->line && bytes.data[at - 1] == '\r';
    if (byte == '\n') {
        return end_line(scan, bytes, at, err);
    }
    if (after_cr) {
        return failed(err, MUTUAL_E_HTTP_MALFORMED, "has a CR that no LF follows");
    }
    if (byte != '\r' && !http_is_text(byte)) {
        return failed(err, MUTUAL_E_HTTP_MALFORMED, "has a control byte in its head");
    }
    if (at - scan->line >= MU_LIMIT_HTTP_LINE) {
        return failed(err, MUTUAL_E_HTTP_LIMIT, "has a line that is too long");
    }
    return HTTP_MORE;
}

enum http_step http_scan(struct http_scan *scan, struct mu_slice bytes, size_t *ret_len,
                         struct mutual_error *err)
{
    while (scan->at < bytes.len) {
        if (scan->at >= MU_LIMIT_HTTP_HEAD) {
            return failed(err, MUTUAL_E_HTTP_LIMIT, "has a head that is too long");
        }
        enum http_step step = look_at(scan, bytes, scan->at++, err);
        if (step == HTTP_DONE) {
            *ret_len = scan->at;
        }
        if (step != HTTP_MORE) {
            return step;
        }
    }
    return HTTP_MORE;
}

/* ---- fields ------------------------------------------------------------------------------------
 */

static struct mu_slice trim(struct mu_slice text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Cuts a line off the front; the head was scanned, so every line ends in CR LF. */
static bool cut_line(struct mu_slice *rest, struct mu_slice *ret_line)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\r', rest->len);
    if (end == NULL || (size_t)(end - rest->data) + 2 > rest->len || end[1] != '\n') {
        return false;
    }
    *ret_line = mu_slice_of(rest->data, (size_t)(end - rest->data));
    size_t taken = ret_line->len + 2;
    *rest = mu_slice_of(rest->data + taken, rest->len - taken);
    return true;
}

/* Some servers read "Content_Length" as if it were the field that says where a message ends. */
static bool is_disguised(struct mu_slice name)
{
    static const char *const guarded[] = {
        "content-length", "transfer-encoding", "host", "connection", "expect", "upgrade"};
    char plain[32];
    if (name.len >= sizeof plain || memchr(name.data, '_', name.len) == NULL) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        plain[i] = name.data[i] == '_' ? '-' : (char)name.data[i];
    }
    for (size_t i = 0; i < MU_COUNT(guarded); i++) {
        if (http_equal_nocase(mu_slice_of(plain, name.len), mu_slice_text(guarded[i]))) {
            return true;
        }
    }
    return false;
}

static bool parse_field(struct http_head *head, struct mu_slice line, struct mutual_error *err)
{
    const uint8_t *colon = memchr(line.data, ':', line.len);
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return fail(err, "has a folded field");
    }
    if (colon == NULL) {
        return fail(err, "has a field without a colon");
    }
    struct mu_slice name = {line.data, (size_t)(colon - line.data)};
    struct mu_slice value = trim(mu_slice_of(colon + 1, line.len - name.len - 1));
    if (!http_is_token(name)) {
        return fail(err, "has a field whose name is no token");
    }
    if (!http_is_value(value)) {
        return fail(err, "has a control byte in a field");
    }
    if (is_disguised(name)) {
        return fail(err, "has a field that some would take for one that frames the message");
    }
    if (head->field_count == MU_LIMIT_HTTP_FIELDS) {
        return mu_fail(err, MUTUAL_E_HTTP_LIMIT, "the HTTP message has too many fields");
    }
    head->fields[head->field_count++] = (struct http_field){name, value};
    return true;
}

static bool parse_fields(struct http_head *head, struct mu_slice rest, struct mutual_error *err)
{
    struct mu_slice line;
    while (cut_line(&rest, &line)) {
        if (line.len == 0) {
            return rest.len == 0 || fail(err, "goes on behind its head");
        }
        if (!parse_field(head, line, err)) {
            return false;
        }
    }
    return fail(err, "is cut short");
}

size_t http_field_count(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        count += http_equal_nocase(head->fields[i].name, mu_slice_text(name));
    }
    return count;
}

bool http_field_find(const struct http_head *head, const char *name, struct mu_slice *ret_value)
{
    const struct http_field *found = NULL;
    for (size_t i = 0; i < head->field_count; i++) {
        if (http_equal_nocase(head->fields[i].name, mu_slice_text(name))) {
            if (found != NULL) {
                return false;
            }
            found = &head->fields[i];
        }
    }
    if (found != NULL) {
        *ret_value = found->value;
    }
    return found != NULL;
}

/* Cuts the next member off a list of tokens; blanks around it are gone. */
static bool cut_member(struct mu_slice *list, struct mu_slice *ret_member)
{
    if (list->len == 0) {
        return false;
    }
    const uint8_t *comma = memchr(list->data, ',', list->len);
    size_t len = comma == NULL ? list->len : (size_t)(comma - list->data);
    *ret_member = trim(mu_slice_of(list->data, len));
    len += comma != NULL;
    *list = mu_slice_of(list->data + len, list->len - len);
    return true;
}

bool http_field_has_token(const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct mu_slice list = head->fields[i].value;
        struct mu_slice member;
        while (http_equal_nocase(head->fields[i].name, mu_slice_text(name)) &&
               cut_member(&list, &member)) {
            if (http_equal_nocase(member, mu_slice_text(token))) {
                return true;
            }
        }
    }
    return false;
}

/* ---- where the body ends, and the connection ---------------------------------------------------
 */

/* RFC 9112 section 6.3, less everything that two readers could decide differently. */
static bool parse_framing(struct http_head *head, struct mutual_error *err)
{
    size_t lengths = http_field_count(head, "Content-Length");
    size_t codings = http_field_count(head, "Transfer-Encoding");
    struct mu_slice value;
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) {
        return fail(err, "says more than once how long it is");
    }
    if (codings > 0) {
        if (head->minor == 0) {
            return fail(err, "has a transfer coding in HTTP/1.0");
        }
        if (!http_field_find(head, "Transfer-Encoding", &value) ||
            !http_equal_nocase(value, MU_SLICE_LIT("chunked"))) {
            return mu_fail(err, MUTUAL_E_HTTP_UNSUPPORTED,
                           "the HTTP message has a transfer coding other than \"chunked\"");
        }
        head->framing = HTTP_BODY_CHUNKED;
    }
    if (lengths > 0) {
        if (!http_field_find(head, "Content-Length", &value) ||
            !http_number(value, &head->length)) {
            return fail(err, "has a Content-Length that is no plain number");
        }
        head->framing = HTTP_BODY_LENGTH;
    }
    return true;
}

static bool parse_connection(struct http_head *head, struct mutual_error *err)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct mu_slice list = head->fields[i].value;
        struct mu_slice member;
        while (http_equal_nocase(head->fields[i].name, MU_SLICE_LIT("Connection")) &&
               cut_member(&list, &member)) {
            if (!http_is_token(member)) {
                return fail(err, "has a Connection field that is no list of tokens");
            }
        }
    }
    head->keep_alive = head->minor == 1 && !http_field_has_token(head, "Connection", "close");
    return true;
}

/* All but the fields themselves, which are many and have their count. */
static void clear_head(struct http_head *head)
{
    memset(head, 0, offsetof(struct http_head, fields));
    head->field_count = 0;
    head->framing = HTTP_BODY_NONE;
    head->length = 0;
    head->keep_alive = head->expect_continue = false;
}

static bool parse_version(struct mu_slice text, unsigned *ret_minor, struct mutual_error *err)
{
    if (mu_slice_equal_text(text, "HTTP/1.1") || mu_slice_equal_text(text, "HTTP/1.0")) {
        *ret_minor = text.data[7] == '1' ? 1 : 0;
        return true;
    }
    return fail(err, "is not of HTTP/1.1 or HTTP/1.0");
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static void split_path(struct http_head *head, struct mu_slice target)
{
    const uint8_t *mark = memchr(target.data, '?', target.len);
    head->path = target;
    head->has_query = mark != NULL;
    if (mark != NULL) {
        head->path.len = (size_t)(mark - target.data);
        head->query = mu_slice_of(mark + 1, target.len - head->path.len - 1);
    }
}

static bool parse_host(struct http_head *head, struct mutual_error *err)
{
    struct mu_slice host;
    bool v6;
    uint16_t port;
    size_t count = http_field_count(head, "Host");
    if (count == 0 && head->minor == 0) {
        return true;
    }
    if (count != 1 || !http_field_find(head, "Host", &head->host)) {
        return fail(err, count == 0 ? "has no Host field" : "has more than one Host field");
    }
    return http_authority(head->host, &host, &v6, &port) ||
           fail(err, "has a Host field that names no host");
}

/* RFC 9112 section 3.2: origin form; absolute form when it means the same host; "*" of OPTIONS.
 * CONNECT is for proxies, which we are not. */
static bool parse_target(struct http_head *head, struct mutual_error *err)
{
    struct http_url url;
    if (mu_slice_equal_text(head->method, "CONNECT")) {
        return mu_fail(err, MUTUAL_E_HTTP_UNSUPPORTED, "the HTTP method CONNECT is not served");
    }
    if (mu_slice_equal_text(head->target, "*")) {
        head->path = head->target;
        return mu_slice_equal_text(head->method, "OPTIONS") || fail(err, "has no target");
    }
    if (head->target.data[0] == '/') {
        split_path(head, head->target);
        return http_is_path(head->target) || fail(err, "has a byte in its target that no URI has");
    }
    if (!http_url_parse(head->target, &url, NULL)) {
        return fail(err, "has a target that is no path");
    }
    if (!http_equal_nocase(url.authority, head->host)) {
        return fail(err, "has a target of another host than its Host field");
    }
    split_path(head, url.target);
    return true;
}

static bool parse_request_line(struct http_head *head, struct mu_slice line,
                               struct mutual_error *err)
{
    const uint8_t *first = memchr(line.data, ' ', line.len);
    const uint8_t *last = memrchr(line.data, ' ', line.len);
    if (first == NULL || first == last) {
        return fail(err, "has a request line without method, target and version");
    }
    head->method = mu_slice_of(line.data, (size_t)(first - line.data));
    head->target = mu_slice_of(first + 1, (size_t)(last - first) - 1);
    struct mu_slice version = {last + 1, line.len - (size_t)(last - line.data) - 1};
    if (!http_is_token(head->method) || head->method.len > MU_LIMIT_HTTP_METHOD) {
        return fail(err, "has a method that is no token");
    }
    if (head->target.len == 0) {
        return fail(err, "has no target");
    }
    return parse_version(version, &head->minor, err);
}

static bool parse_expect(struct http_head *head, struct mutual_error *err)
{
    struct mu_slice value;
    if (http_field_count(head, "Expect") == 0) {
        return true;
    }
    if (!http_field_find(head, "Expect", &value) ||
        !http_equal_nocase(value, MU_SLICE_LIT("100-continue"))) {
        return fail(err, "expects what is not known");
    }
    head->expect_continue = head->minor == 1 && head->framing != HTTP_BODY_NONE;
    return true;
}

bool http_request_parse(struct mu_slice bytes, struct http_head *ret_head, struct mutual_error *err)
{
    struct mu_slice line;
    struct http_head *head = ret_head;
    clear_head(head);
    if (!cut_line(&bytes, &line) || line.len == 0) {
        return fail(err, "has no request line");
    }
    return parse_request_line(head, line, err) && parse_fields(head, bytes, err) &&
           parse_framing(head, err) && parse_connection(head, err) && parse_host(head, err) &&
           parse_target(head, err) && parse_expect(head, err);
}

/* ---- responses ---------------------------------------------------------------------------------
 */

static bool parse_status_line(struct http_head *head, struct mu_slice line,
                              struct mutual_error *err)
{
    uint64_t status = 0;
    if (line.len < 13 || line.data[8] != ' ' || line.data[12] != ' ' ||
        !http_number(mu_slice_of(line.data + 9, 3), &status) || status < 100 || status > 599) {
        return fail(err, "has no status line");
    }
    head->status = (unsigned)status;
    head->reason = mu_slice_of(line.data + 13, line.len - 13);
    return parse_version(mu_slice_of(line.data, 8), &head->minor, err);
}

/* RFC 9112 section 6.3, points 1 and 8. */
static bool settle_response(struct http_head *head, bool to_head, struct mutual_error *err)
{
    bool bodiless = head->status < 200 || head->status == 204 || head->status == 304;
    bool framed = head->framing == HTTP_BODY_CHUNKED ||
                  (head->framing == HTTP_BODY_LENGTH && head->length > 0);
    if ((head->status < 200 || head->status == 204) && framed) {
        return fail(err, "announces a body that its status may not have");
    }
    if (bodiless || to_head) {
        head->framing = HTTP_BODY_NONE;
    } else if (head->framing == HTTP_BODY_NONE) {
        head->framing = HTTP_BODY_TO_END;
        head->keep_alive = false;
    }
    return true;
}

bool http_response_parse(struct mu_slice bytes, bool to_head, struct http_head *ret_head,
                         struct mutual_error *err)
{
    struct mu_slice line;
    struct http_head *head = ret_head;
    clear_head(head);
    if (!cut_line(&bytes, &line)) {
        return fail(err, "has no status line");
    }
    return parse_status_line(head, line, err) && parse_fields(head, bytes, err) &&
           parse_framing(head, err) && parse_connection(head, err) &&
           settle_response(head, to_head, err);
}
