#include "client-api/pages/language.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client-api/pages/cookies.h"
#include "homeserver/base/words.h"
#include "homeserver/http/request.h"

#define LANGUAGE_DEFAULT LANGUAGE_RU /* of a browser that asks for none */

static const char *const TAGS[LANGUAGES] = {[LANGUAGE_RU] = "ru", [LANGUAGE_EN] = "en"};

/* One that the browser would like best (RFC 9110, 12.5.4): the highest q among those that there are; any other is
 * answered in English. */
enum language language_asked(const char *header)
{
    enum language best = header == NULL || *header == '\0' ? LANGUAGE_DEFAULT : LANGUAGE_EN;
    double best_q = 0;
    while (header != NULL && *header != '\0') {
        header += strspn(header, ", \t");
        size_t len = strcspn(header, ",");
        const char *weight = memchr(header, ';', len), *q = weight != NULL ? strstr(weight, "q=") : NULL;
        double value = q != NULL && q < header + len ? strtod(q + 2, NULL) : 1;
        for (int i = 0; i < LANGUAGES; ++i)
            if (strncasecmp(header, TAGS[i], 2) == 0 && !isalpha((unsigned char)header[2]) && value > best_q) {
                best = (enum language)i;
                best_q = value;
            }
        header += len;
    }
    return best;
}

/* LANGUAGES: none of them. */
static enum language language_named(const char *tag)
{
    int i = WORD_FIND(TAGS, tag);
    return i >= 0 ? (enum language)i : LANGUAGES;
}

const char *language_chosen(const struct request *r)
{
    char cookie[COOKIE_BYTES];
    enum language chosen = page_cookie(r, COOKIE_LANGUAGE, cookie) ? language_named(cookie) : LANGUAGES;
    return chosen != LANGUAGES ? TAGS[chosen] : NULL;
}

enum language page_language(const struct request *r)
{
    enum language language = language_named(r->identity.language);
    if (language == LANGUAGES)
        language = language_named(language_chosen(r));
    return language != LANGUAGES ? language : language_asked(r->headers[HEADER_ACCEPT_LANGUAGE]);
}

int plural_ru(int64_t n)
{
    int64_t ten = n % 10, hundred = n % 100;
    if (ten == 1 && hundred != 11)
        return 0;
    return ten >= 2 && ten <= 4 && (hundred < 12 || hundred > 14) ? 1 : 2;
}

int plural_en(int64_t n)
{
    return n == 1 ? 0 : 1;
}

bool page_refuse(struct request *r, enum error_code code, enum word sentence)
{
    error_set(&r->error, code, word_in(sentence, LANGUAGE_RU));
    r->error.translation = word_in(sentence, LANGUAGE_EN);
    return false;
}

/* Of an error that says nothing in Russian. */
static const char *sentence_of_code(enum error_code code, enum language language)
{
    static const char *const NAMES[ERROR__COUNT] = {
#define X(name, wire, status, sentence) [ERROR_##name] = #name,
#include "homeserver/base/errors.def"
#undef X
    };
    char key[64] = "error.";
    for (size_t i = 0; NAMES[code][i] != '\0' && i + 8 < sizeof key; ++i)
        key[i + 6] = (char)tolower((unsigned char)NAMES[code][i]);
    enum word word = word_named(key);
    return word_in(word != WORD_NONE ? word : WORD_ERROR_OTHER, language);
}

const char *page_error_in(const struct error *e, enum language language)
{
    if (e->code == ERROR_NONE)
        return NULL;
    if (e->translation != NULL) /* the first is Russian */
        return language == LANGUAGE_RU ? e->sentence : e->translation;
    return language == LANGUAGE_EN && e->sentence != NULL ? e->sentence : sentence_of_code(e->code, language);
}
