#include <stdio.h>
#include <string.h>

#include "journal/journal_internal.h"

/* docs/journal-format.md section 1 has the rules and the reasons. */

#define REF_PREFIX "refs/heads/"
#define REF_ESCAPED_MAX 200
#define HEX_ID_CHARS 40

static bool octet_is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void put_octet(struct buf *b, uint8_t c, bool escape)
{
    if (escape || !octet_is_plain(c))
        buf_printf(b, "%%%02X", c);
    else
        buf_u8(b, c);
}

static bool label_is_object_id(const uint8_t *name)
{
    if (name[0] != HEX_ID_CHARS || name_labels(name) != 1)
        return false;
    for (size_t i = 1; i <= HEX_ID_CHARS; i++)
        if (!((name[i] >= '0' && name[i] <= '9') || (name[i] >= 'a' && name[i] <= 'f')))
            return false;
    return true;
}

static void escape_name(struct buf *b, const uint8_t *name)
{
    bool first = true;

    for (const uint8_t *l = name; l[0] != 0; l = name_parent(l)) {
        bool lock = !first && l[0] == 4 && memcmp(l + 1, "lock", 4) == 0 && l[5] == 0;
        bool start = first && (l[1] == '-' || label_is_object_id(l));

        if (!first)
            buf_u8(b, '.');
        for (size_t i = 1; i <= l[0]; i++)
            put_octet(b, l[i], i == 1 && (lock || start));
        first = false;
    }
}

void journal_ref_name(char out[JOURNAL_REF_MAX], const uint8_t *zone)
{
    uint8_t name[NAME_MAX_OCTETS];
    uint8_t hash[32];
    char hex[65];
    size_t len = name_fold(name, zone);
    struct buf b = BUF_INIT;

    if (name_is_root(name))
        buf_str(&b, "%2E");
    else
        escape_name(&b, name);
    if (b.len > REF_ESCAPED_MAX || (strcmp(buf_cstr(&b), "%2E") == 0 && !name_is_root(name))) {
        sha256_bytes(hash, name, len);
        hex_write(hex, hash, sizeof(hash));
        buf_free(&b);
        buf_printf(&b, "%%h-%s", hex);
    }
    (void)snprintf(out, JOURNAL_REF_MAX, REF_PREFIX "%s", buf_cstr(&b));
    buf_free(&b);
}

/* One octet of a label at *p, which moves behind it; -1 if there is none. */
static int take_octet(const char **p)
{
    uint8_t v = 0;

    if (**p != '%')
        return **p == 0 || **p == '.' ? -1 : (uint8_t) * (*p)++;
    if ((*p)[1] == 0 || !hex_read(&v, *p + 1, 2))
        return -1;
    *p += 3;
    return v;
}

/* Takes more than the rules allow: the caller escapes again and compares. */
static bool unescape_name(uint8_t zone[NAME_MAX_OCTETS], const char *p)
{
    struct writer w = writer_of(zone, NAME_MAX_OCTETS);

    while (*p) {
        uint8_t *len = write_space(&w, 1);
        unsigned n = 0;
        int c;

        while ((c = take_octet(&p)) >= 0) {
            write_u8(&w, (uint8_t)c);
            n++;
        }
        if (!len || n == 0 || n > LABEL_MAX_OCTETS || (*p != 0 && *p != '.'))
            return false;
        *len = (uint8_t)n;
        if (*p == '.' && *++p == 0)
            return false;
    }
    write_u8(&w, 0);
    return !w.overflow;
}

bool journal_ref_zone(uint8_t zone[NAME_MAX_OCTETS], const char *ref)
{
    char again[JOURNAL_REF_MAX];
    uint8_t name[NAME_MAX_OCTETS];

    if (strncmp(ref, REF_PREFIX, strlen(REF_PREFIX)) != 0)
        return false;
    ref += strlen(REF_PREFIX);
    if (strcmp(ref, "%2E") == 0)
        name[0] = 0;
    else if (*ref == 0 || !unescape_name(name, ref))
        return false;
    journal_ref_name(again, name);
    if (strcmp(again + strlen(REF_PREFIX), ref) != 0)
        return false;
    (void)name_copy(zone, name);
    return true;
}
