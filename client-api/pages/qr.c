#include "client-api/pages/qr.h"

#include <qrencode.h>

#define MARGIN 4 /* squares around it, which readers need */

void qr_svg(struct text *out, const char *content)
{
    QRcode *code = QRcode_encodeString8bit(content, 0, QR_ECLEVEL_M);
    if (code == NULL)
        return;
    int side = code->width + 2 * MARGIN;
    text_addf(out,
              "<svg class=\"qr\" role=\"img\" aria-label=\"QR\" viewBox=\"0 0 %d %d\" "
              "shape-rendering=\"crispEdges\"><path d=\"",
              side, side);
    for (int y = 0; y < code->width; ++y)
        for (int x = 0; x < code->width; ++x)
            if ((code->data[y * code->width + x] & 1) != 0)
                text_addf(out, "M%d %dh1v1h-1z", x + MARGIN, y + MARGIN);
    text_adds(out, "\"/></svg>");
    QRcode_free(code);
}
