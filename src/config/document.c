/* SPDX-License-Identifier: Apache-2.0
 *
 * What the schema tables tell others: JSON Schema for editors, the defaults for people, the list of
 * settings for mutual.yaml(5).
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS_MAX 32u

/* Every block that the root leads to, once. */
struct blocks {
    const struct block *items[BLOCKS_MAX];
    size_t count;
};

static void collect(struct blocks *blocks, const struct block *block)
{
    for (size_t i = 0; i < blocks->count; i++) {
        if (blocks->items[i] == block) {
            return;
        }
    }
    mu_assert(blocks->count < BLOCKS_MAX);
    blocks->items[blocks->count++] = block;
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        if (s->type == SETTING_BLOCK) {
            collect(blocks, s->block);
        }
    }
}

/* ---- JSON Schema
 * --------------------------------------------------------------------------------- */

static const char *definition_name(const struct block *block, char text[64])
{
    (void)snprintf(text, 64, "%s", block->name);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == ' ' ? '-' : *c;
    }
    return text;
}

static void schema_pattern(struct mu_json *json)
{
    mu_json_string(json, "type", "object");
    mu_json_int(json, "minProperties", 1);
    mu_json_int(json, "maxProperties", 1);
    mu_json_bool(json, "additionalProperties", false);
    mu_json_open(json, "properties", '{');
    for (size_t i = 0; name_type_words[i] != NULL; i++) {
        mu_json_open(json, name_type_words[i], '{');
        mu_json_string(json, "type", "string");
        mu_json_close(json, '}');
    }
    mu_json_close(json, '}');
}

static void schema_number(struct mu_json *json, const struct setting *s)
{
    if (s->words == NULL) {
        mu_json_string(json, "type", "integer");
        if (s->max > 0) {
            mu_json_int(json, "minimum", s->min);
            mu_json_int(json, "maximum", s->max);
        }
        return;
    }
    mu_json_open(json, "anyOf", '[');
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "type", "integer");
    mu_json_int(json, "minimum", s->min);
    mu_json_int(json, "maximum", s->max);
    mu_json_close(json, '}');
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "const", s->words[0]);
    mu_json_close(json, '}');
    mu_json_close(json, ']');
}

/* Words that look like numbers are numbers to an editor, so both are allowed there. */
static void schema_words(struct mu_json *json, const struct setting *s)
{
    bool numeric = s->words[0][0] >= '0' && s->words[0][0] <= '9';
    if (numeric) {
        mu_json_open(json, "type", '[');
        mu_json_string(json, NULL, "string");
        mu_json_string(json, NULL, "number");
        mu_json_close(json, ']');
        return;
    }
    mu_json_open(json, "enum", '[');
    for (size_t i = 0; s->words[i] != NULL; i++) {
        mu_json_string(json, NULL, s->words[i]);
    }
    mu_json_close(json, ']');
}

static void schema_string(struct mu_json *json, const struct setting *s)
{
    static const char *const patterns[SETTING_TYPE_COUNT_] = {
        [SETTING_DURATION] = "^([0-9]+(ms|s|m|h|d)|none)$",
        [SETTING_TIME] = "^([0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?|always|never)$",
        [SETTING_NAME] = "^([A-Za-z0-9][A-Za-z0-9._-]*|\\*)$",
        [SETTING_SERVICE] = "^([A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?|\\*)$",
        [SETTING_SECRET] = "^(file|env|credential):.+$",
        [SETTING_LISTEN] = "^(unix:/.+|systemd:.+|fd:[0-9]+|.*:[0-9]+)$",
        [SETTING_TARGET] = "^(unix:/.+|.+:[0-9]+)$",
        [SETTING_STALE] = "^(refuse|accept|grace [0-9]+(ms|s|m|h|d))$",
    };
    mu_json_string(json, "type", "string");
    if (patterns[s->type] != NULL) {
        mu_json_string(json, "pattern", patterns[s->type]);
    }
    if (s->type == SETTING_TEXT && s->max > 0) {
        mu_json_int(json, "maxLength", s->max);
    }
}

static void schema_type(struct mu_json *json, const struct setting *s)
{
    char name[64];
    char reference[96];
    switch (s->type) {
    case SETTING_BOOL:
        mu_json_string(json, "type", "boolean");
        break;
    case SETTING_NUMBER:
        schema_number(json, s);
        break;
    case SETTING_WORD:
        schema_words(json, s);
        break;
    case SETTING_PATTERN:
        schema_pattern(json);
        break;
    case SETTING_BLOCK:
        (void)snprintf(reference, sizeof reference, "#/$defs/%s", definition_name(s->block, name));
        mu_json_string(json, "$ref", reference);
        break;
    case SETTING_DURATION:
    case SETTING_TIME:
    case SETTING_TEXT:
    case SETTING_NAME:
    case SETTING_SERVICE:
    case SETTING_PATH:
    case SETTING_SECRET:
    case SETTING_LISTEN:
    case SETTING_TARGET:
    case SETTING_STALE:
    case SETTING_TYPE_COUNT_:
        schema_string(json, s);
        break;
    }
}

static void schema_default(struct mu_json *json, const struct setting *s)
{
    uint64_t number;
    if (s->dflt == NULL) {
        return;
    }
    if (s->type == SETTING_BOOL) {
        mu_json_bool(json, "default", strcmp(s->dflt, "true") == 0);
    } else if (s->type == SETTING_NUMBER && mu_text_uint(s->dflt, INT64_MAX, &number)) {
        mu_json_int(json, "default", (int64_t)number);
    } else {
        mu_json_string(json, "default", s->dflt);
    }
}

static void schema_setting(struct mu_json *json, const struct setting *s)
{
    mu_json_open(json, s->name, '{');
    mu_json_string(json, "description", s->help);
    schema_default(json, s);
    if (s->shape == SETTING_ONE) {
        schema_type(json, s);
    } else if (s->shape == SETTING_MANY) {
        mu_json_string(json, "type", "array");
        mu_json_open(json, "items", '{');
        schema_type(json, s);
        mu_json_close(json, '}');
    } else {
        mu_json_open(json, "anyOf", '[');
        mu_json_open(json, NULL, '{');
        schema_type(json, s);
        mu_json_close(json, '}');
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "type", "array");
        mu_json_open(json, "items", '{');
        schema_type(json, s);
        mu_json_close(json, '}');
        mu_json_close(json, '}');
        mu_json_close(json, ']');
    }
    mu_json_close(json, '}');
}

static void schema_object(struct mu_json *json, const struct block *block)
{
    mu_json_string(json, "type", "object");
    mu_json_bool(json, "additionalProperties", false);
    mu_json_open(json, "properties", '{');
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        schema_setting(json, s);
    }
    mu_json_close(json, '}');
    mu_json_open(json, "required", '[');
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        if (s->required) {
            mu_json_string(json, NULL, s->name);
        }
    }
    mu_json_close(json, ']');
}

static void schema_block(struct mu_json *json, const struct block *block)
{
    char name[64];
    mu_json_open(json, definition_name(block, name), '{');
    mu_json_string(json, "description", block->help);
    if (block->short_form == NULL) {
        schema_object(json, block);
    } else {
        mu_json_open(json, "anyOf", '[');
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "type", "string");
        mu_json_close(json, '}');
        mu_json_open(json, NULL, '{');
        schema_object(json, block);
        mu_json_close(json, '}');
        mu_json_close(json, ']');
    }
    mu_json_close(json, '}');
}

void config_schema_json(struct mu_buf *out)
{
    struct blocks blocks = {.count = 0};
    collect(&blocks, &schema_root);
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    mu_json_string(&json, "title", "mutual.yaml");
    schema_object(&json, &schema_root);
    mu_json_open(&json, "$defs", '{');
    for (size_t i = 1; i < blocks.count; i++) {
        schema_block(&json, blocks.items[i]);
    }
    mu_json_close(&json, '}');
    mu_json_close(&json, '}');
    mu_buf_text(out, "\n");
}

/* ---- defaults
 * ------------------------------------------------------------------------------------ */

#define REMARK_COLUMN 40

static void default_line(struct mu_buf *out, const struct setting *s, int indent, bool first)
{
    size_t begin = out->len;
    bool version = strcmp(s->name, "version") == 0;
    mu_buf_printf(out, "%s%*s%s%s:", version ? "" : "#", indent, "", first ? "- " : "", s->name);
    if (version) {
        mu_buf_text(out, " 1");
    } else if (s->dflt != NULL) {
        mu_buf_printf(out, " %s", s->dflt);
    }
    size_t width = out->len - begin;
    int gap = width + 1 < REMARK_COLUMN ? (int)(REMARK_COLUMN - width) : 1;
    mu_buf_printf(out, "%*s# %s%s\n", gap, "", s->required && !version ? "required: " : "",
                  s->help);
}

static void default_block(struct mu_buf *out, const struct block *block, int indent, bool list)
{
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        bool first = list && s == block->settings;
        default_line(out, s, first ? indent - 2 : indent, first);
        if (s->type == SETTING_BLOCK) {
            bool many = s->shape == SETTING_MANY;
            default_block(out, s->block, indent + (many ? 4 : 2), many);
        }
    }
}

void config_schema_defaults(struct mu_buf *out)
{
    mu_buf_text(out, "# Every setting with its default. A setting may be left out unless it is "
                     "required.\n");
    default_block(out, &schema_root, 0, false);
}

/* ---- the manual page
 * ------------------------------------------------------------------------------- */

/* The text with a capital letter and a full stop, as a sentence. */
static void mdoc_sentence(struct mu_buf *out, const char *text)
{
    MU_AUTO(buf) struct mu_buf sentence;
    mu_buf_init(&sentence, 4096);
    bool lower = text[0] >= 'a' && text[0] <= 'z';
    mu_buf_byte(&sentence, (uint8_t)(lower ? text[0] - 'a' + 'A' : text[0]));
    mu_buf_text(&sentence, text + 1);
    if (text[strlen(text) - 1] != '.') {
        mu_buf_text(&sentence, ".");
    }
    mu_mdoc_text(out, mu_buf_str(&sentence));
}

static void type_text(struct mu_buf *out, const struct setting *s)
{
    if (s->type == SETTING_BLOCK) {
        mu_buf_printf(out, "%s, see %s below",
                      s->shape == SETTING_MANY ? "list of blocks" : "block", s->block->name);
    } else if (s->type == SETTING_WORD) {
        for (size_t i = 0; s->words[i] != NULL; i++) {
            mu_buf_printf(out, "%s%s", i == 0 ? "" : " | ", s->words[i]);
        }
    } else {
        mu_buf_text(out, setting_type_words(s));
        if (s->words != NULL) {
            mu_buf_printf(out, ", or %s", s->words[0]);
        }
    }
    if (s->shape == SETTING_ONE_OR_MANY) {
        mu_buf_text(out, "; one or a list");
    }
}

static void mdoc_setting(struct mu_buf *out, const struct setting *s)
{
    static const char *const reloads[] = {
        [RELOAD_LIVE] = "Changes take effect at once.",
        [RELOAD_NEW] = "Changes take effect on new connections.",
        [RELOAD_RESTART] = "Changes take effect after a restart.",
    };
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    mu_buf_text(&text, "(");
    type_text(&text, s);
    mu_buf_text(&text, s->required ? "; required)" : ")");
    mu_buf_text(out, ".It Ic ");
    mu_mdoc_text(out, s->name);
    mu_mdoc_text(out, mu_buf_str(&text));
    mdoc_sentence(out, s->help);
    if (s->dflt != NULL) {
        mu_buf_printf(out, "Default:\n.Ql %s .\n", s->dflt);
    }
    if ((s->type == SETTING_NUMBER || s->type == SETTING_DURATION) && s->max > 0) {
        mu_buf_printf(out, "Between %lld and %lld%s.\n", (long long)s->min, (long long)s->max,
                      s->type == SETTING_DURATION ? " seconds" : "");
    }
    if (s->type != SETTING_BLOCK || s->shape != SETTING_ONE) {
        mu_buf_printf(out, "%s\n", reloads[s->reload]);
    }
}

static void mdoc_block(struct mu_buf *out, const struct block *block)
{
    mu_buf_printf(out, ".Ss The %s\n", block->name);
    mu_mdoc_text(out, block->help);
    if (block->short_form != NULL) {
        mu_buf_printf(out, "A single value in place of the block is its\n.Ic %s .\n",
                      block->short_form);
    }
    mu_buf_text(out, ".Bl -tag -width Ds\n");
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        mdoc_setting(out, s);
    }
    mu_buf_text(out, ".El\n");
}

static const char mdoc_head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Made from the schema tables by: mutual config man. Do not edit.\n"
    ".Dd November 20, 2026\n"
    ".Dt MUTUAL.YAML 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm mutual.yaml\n"
    ".Nd configuration of mutual\n"
    ".Sh DESCRIPTION\n"
    "The configuration is a strict subset of YAML: one document, without anchors,\n"
    "aliases, tags, merge keys and settings given twice; at most 16 levels deep and\n"
    "4 MiB a file.\n"
    "JSON is accepted too.\n"
    "A value has the type that its setting gives it, whether it is quoted or not.\n"
    "In the name of a setting hyphen and underscore are the same.\n"
    "A path is relative to the file that it is written in.\n"
    "Secrets are never written here: a setting that needs one takes a reference,\n"
    ".Ql file:PATH ,\n"
    ".Ql env:NAME\n"
    "or\n"
    ".Ql credential:NAME .\n"
    ".Pp\n"
    "All errors are told in one run of\n"
    ".Ic mutual check ,\n"
    "each with its line.\n"
    "A reload (SIGHUP) builds everything aside and swaps it whole; one that fails changes "
    "nothing.\n"
    ".Sh SETTINGS\n";

static const char mdoc_tail[] = ".Sh FILES\n"
                                ".Bl -tag -width Ds\n"
                                ".It Pa /etc/mutual/mutual.yaml\n"
                                "The configuration, unless\n"
                                ".Fl c\n"
                                "or\n"
                                ".Ev MUTUAL_CONFIG\n"
                                "names another.\n"
                                ".It Pa /etc/mutual/conf.d/*.yaml\n"
                                "What it usually includes.\n"
                                ".El\n"
                                ".Sh EXAMPLES\n"
                                "A database that only its known clients reach:\n"
                                ".Bd -literal -offset indent\n"
                                "version: 1\n"
                                "trust:\n"
                                "  - {name: corp, bundle: /etc/mutual/trust.d/corp.pem}\n"
                                "inbound:\n"
                                "  - name: customer-db\n"
                                "    listen: 0.0.0.0:8443\n"
                                "    forward: 127.0.0.1:5432\n"
                                "    certificate: /etc/mutual/tls/customer-db\n"
                                "    clients: {mode: require, trust: corp}\n"
                                "policy:\n"
                                "  - grant: hr-reads\n"
                                "    to: customer-db\n"
                                "    from: {spiffe: \"spiffe://example.org/hr/*\"}\n"
                                "    until: 2027-01-01\n"
                                "    owner: hr-platform\n"
                                "    why: HR-1234\n"
                                ".Ed\n"
                                ".Pp\n"
                                "Revocation lists that are fetched from within the company:\n"
                                ".Bd -literal -offset indent\n"
                                "trust:\n"
                                "  - name: corp\n"
                                "    bundle: /etc/mutual/trust.d/corp.pem\n"
                                "    revocation:\n"
                                "      fetch:\n"
                                "        - {url: http://pki.corp.example/issuing.crl, every: 30m}\n"
                                "fetch:\n"
                                "  private: 10.1.0.0/16\n"
                                "  allow: '*.corp.example'\n"
                                ".Ed\n"
                                ".Pp\n"
                                "An OCSP response for clients, renewed from the responder that\n"
                                "the certificate names:\n"
                                ".Bd -literal -offset indent\n"
                                "certificate:\n"
                                "  directory: /etc/mutual/tls/api\n"
                                "  staple: {from: certificate}\n"
                                ".Ed\n"
                                ".Sh SEE ALSO\n"
                                ".Xr mutual 1 ,\n"
                                ".Xr mutual-errors 7\n";

void config_schema_mdoc(struct mu_buf *out)
{
    struct blocks blocks = {.count = 0};
    collect(&blocks, &schema_root);
    collect(&blocks, &schema_profiles);
    mu_buf_text(out, mdoc_head);
    for (size_t i = 0; i < blocks.count; i++) {
        mdoc_block(out, blocks.items[i]);
    }
    mu_buf_text(out, mdoc_tail);
}
