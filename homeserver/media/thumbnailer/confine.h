/* What the thumbnailer may do once it has its file: compute, and write to the file it was given. It opens nothing,
 * speaks to nobody, starts nothing; its memory, time and output are bounded. */
#ifndef PARTA_MEDIA_CONFINE_H
#define PARTA_MEDIA_CONFINE_H

#include <stdbool.h>

/* Gives up everything for good. landlock where the kernel has it; the rest is a must. false: the process must end. */
bool confine(void);

#endif
