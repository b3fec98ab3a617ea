/* QR codes as pictures that print well (ISO/IEC 18004, by libqrencode). */
#ifndef PARTA_CLIENT_API_PAGES_QR_H
#define PARTA_CLIENT_API_PAGES_QR_H

#include "homeserver/base/text.h"

/* An SVG of class "qr" whose dark squares are one path; level M, of which a seventh may be dirty. Nothing of the
 * content is in it but the squares. Nothing is written of a content that is too long (2 331 bytes). */
void qr_svg(struct text *out, const char *content);

#endif
