#include "policy/oneroster/encoding.h"

#include <stdint.h>
#include <string.h>

#include "homeserver/base/ids.h"

static const char *const NAMES[] = {
    [ENCODING_UTF8] = "UTF-8",      [ENCODING_UTF8_MARKED] = "UTF-8 with a byte order mark",
    [ENCODING_UTF16] = "UTF-16",    [ENCODING_1251] = "Windows-1251",
    [ENCODING_UNKNOWN] = "unknown",
};

const char *encoding_name(enum encoding encoding)
{
    return NAMES[encoding];
}

/* --- Windows-1251 --- */

/* The character of a byte from 0x80 on that Russian text has; 0: none. */
static uint32_t of_1251(unsigned char c)
{
    static const struct {
        unsigned char byte;
        uint16_t character;
    } SIGNS[] = {
        {0x84, 0x201e}, {0x85, 0x2026}, {0x91, 0x2018}, {0x92, 0x2019}, {0x93, 0x201c},
        {0x94, 0x201d}, {0x96, 0x2013}, {0x97, 0x2014}, {0xa0, 0x00a0}, {0xa8, 0x0401},
        {0xab, 0x00ab}, {0xb0, 0x00b0}, {0xb8, 0x0451}, {0xb9, 0x2116}, {0xbb, 0x00bb},
    };
    if (c >= 0xc0)
        return 0x0410u + c - 0xc0u;
    for (size_t i = 0; i < sizeof SIGNS / sizeof *SIGNS; ++i)
        if (SIGNS[i].byte == c)
            return SIGNS[i].character;
    return 0;
}

static bool is_capital(unsigned char c)
{
    return (c >= 0xc0 && c <= 0xdf) || c == 0xa8;
}

static bool is_small(unsigned char c)
{
    return c >= 0xe0 || c == 0xb8;
}

static bool is_latin(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static const char *fault_1251(unsigned char before, unsigned char c)
{
    bool letter = is_capital(c) || is_small(c), letter_before = is_capital(before) || is_small(before);
    if (c == 0)
        return "a zero byte: UTF-16 without its byte order mark?";
    if (c >= 0x80 && of_1251(c) == 0)
        return "neither UTF-8 nor a letter of Russian text in Windows-1251";
    if (is_small(before) && is_capital(c))
        return "not UTF-8, and in Windows-1251 a capital behind a small letter: KOI8-R?";
    if ((letter && is_latin(before)) || (letter_before && is_latin(c)))
        return "not UTF-8, and in Windows-1251 a Latin beside a Cyrillic letter";
    return NULL;
}

static struct encoding_found find_1251(const unsigned char *bytes, size_t len)
{
    struct encoding_found found = {.encoding = ENCODING_1251};
    unsigned char before = ' ';
    for (size_t i = 0; i < len; before = bytes[i++]) {
        const char *why = fault_1251(before, bytes[i]);
        if (why != NULL)
            return (struct encoding_found){.encoding = ENCODING_UNKNOWN, .at = i, .why = why};
        found.sure |= is_capital(before) && is_small(bytes[i]);
    }
    return found;
}

/* --- UTF-16 --- */

static uint32_t unit_at(const unsigned char *bytes, size_t i, bool little)
{
    return little ? (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 : (uint32_t)bytes[i] << 8 | (uint32_t)bytes[i + 1];
}

/* The character at *i, which moves behind it; 0: there is none, or half of one. */
static uint32_t take_utf16(const unsigned char *bytes, size_t len, size_t *i, bool little)
{
    if (*i + 2 > len)
        return 0;
    uint32_t c = unit_at(bytes, *i, little);
    *i += 2;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    uint32_t second = *i + 2 <= len ? unit_at(bytes, *i, little) : 0;
    if (c > 0xdbff || second < 0xdc00 || second > 0xdfff)
        return 0;
    *i += 2;
    return 0x10000 + ((c - 0xd800) << 10) + (second - 0xdc00);
}

static struct encoding_found find_utf16(const unsigned char *bytes, size_t len)
{
    bool little = bytes[0] == 0xff;
    for (size_t i = 2, at = 2; i < len; at = i)
        if (take_utf16(bytes, len, &i, little) == 0)
            return (struct encoding_found){ENCODING_UNKNOWN, .at = at, .why = "half a character of UTF-16"};
    return (struct encoding_found){.encoding = ENCODING_UTF16};
}

/* --- All --- */

/* Byte order marks at the beginning: who converts what another program has marked already marks it twice. */
static size_t marks_of(const char *bytes, size_t len)
{
    size_t marks = 0;
    while (len - marks >= 3 && memcmp(bytes + marks, "\xef\xbb\xbf", 3) == 0)
        marks += 3;
    return marks;
}

struct encoding_found encoding_find(const char *bytes, size_t len)
{
    if (len >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        return find_utf16((const unsigned char *)bytes, len);
    if (!utf8_valid(bytes, len))
        return find_1251((const unsigned char *)bytes, len);
    return (struct encoding_found){.encoding = marks_of(bytes, len) != 0 ? ENCODING_UTF8_MARKED : ENCODING_UTF8};
}

static void add_utf8(struct text *out, uint32_t c)
{
    if (c < 0x80) {
        text_addc(out, (char)c);
        return;
    }
    if (c < 0x800) {
        text_addc(out, (char)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            text_addc(out, (char)(0xe0 | c >> 12));
        } else {
            text_addc(out, (char)(0xf0 | c >> 18));
            text_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        }
        text_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    text_addc(out, (char)(0x80 | (c & 0x3f)));
}

void encoding_decode(enum encoding encoding, const char *bytes, size_t len, struct text *out)
{
    const unsigned char *raw = (const unsigned char *)bytes;
    size_t begin = out->len;
    text_reserve(out, len + 1);
    if (encoding == ENCODING_UTF8 || encoding == ENCODING_UTF8_MARKED)
        text_add(out, bytes, len);
    for (size_t i = 0; encoding == ENCODING_1251 && i < len; ++i)
        add_utf8(out, raw[i] < 0x80 ? raw[i] : of_1251(raw[i]));
    for (size_t i = 2; encoding == ENCODING_UTF16 && i < len;)
        add_utf8(out, take_utf16(raw, len, &i, raw[0] == 0xff));
    size_t marks = marks_of(out->data + begin, out->len - begin);
    memmove(out->data + begin, out->data + begin + marks, out->len - begin - marks);
    out->len -= marks;
    out->data[out->len] = '\0';
}
