/* libcurl, loaded when it is first needed. With all that it brings along (LDAP, Kerberos, two more TLS libraries) it
 * takes as long to load as everything else of a start together, and 4 MiB; most runs of `parta` and many a school's
 * server never make a request to anybody. */
#ifndef PARTA_OUTGOING_CURL_LIBRARY_H
#define PARTA_OUTGOING_CURL_LIBRARY_H

#include <stdbool.h>

/* Before any other function of libcurl is called, which then are what <curl/curl.h> declares. false: libcurl.so.4 is
 * not there, or has not what it must have; the log says so once. Any thread; blocks (reads files) the first time. */
bool curl_library_load(void);

#endif
