"""Makes common_passwords.h of common_passwords.txt: the first four bytes of BLAKE2b-256 of each, sorted. Usage: common_passwords.py TXT H"""
import hashlib
import sys
import unicodedata

KEYS = str.maketrans('йцукенгшщзхъфывапролджэячсмитьбюё', "qwertyuiop[]asdfghjkl;'zxcvbnm,.`")


def folded(word):
    """As password_is_common folds what is looked up."""
    return unicodedata.normalize('NFC', word.lower()).translate(KEYS)


def main(source, made):
    with open(source, encoding='utf-8') as f:
        words = {folded(line.rstrip('\n')) for line in f}
    words.discard('')
    numbers = sorted({int.from_bytes(hashlib.blake2b(w.encode(), digest_size=32).digest()[:4], 'big') for w in words})
    lines = [', '.join(f'{n}U' for n in numbers[i:i + 8]) for i in range(0, len(numbers), 8)]
    with open(made, 'w', encoding='ascii') as f:
        f.write('static const uint32_t COMMON_PASSWORDS[] = {\n' + ',\n'.join(lines) + '};\n')


main(*sys.argv[1:])
