#include "tests/unit/client_request.h"

#include <string.h>

static size_t collect(char *bytes, size_t size, size_t n, void *out)
{
    if (out != NULL)
        text_add(out, bytes, size * n);
    return size * n;
}

static struct curl_slist *headers_of(const struct client_request *request)
{
    struct text line = TEXT_INIT;
    text_addf(&line, "Content-Type:%s", request->type != NULL ? request->type : "application/json");
    struct curl_slist *headers = curl_slist_append(NULL, line.data); /* "Content-Type:" takes curl's own away */
    if (request->more != NULL)
        headers = curl_slist_append(headers, request->more);
    text_clear(&line);
    text_addf(&line, "Authorization: Bearer %s", request->token != NULL ? request->token : "");
    if (request->token != NULL)
        headers = curl_slist_append(headers, line.data);
    text_finish(&line);
    return curl_slist_append(headers, "Expect:");
}

long client_request_send(CURL *curl, int port, const struct client_request *request, struct text *body,
                         struct text *head)
{
    struct text url = TEXT_INIT;
    struct curl_slist *headers = headers_of(request);
    const char *sent = request->body != NULL ? request->body : "";
    bool is_head = strcmp(request->method, "HEAD") == 0, plain_get = strcmp(request->method, "GET") == 0;
    long status = 0;
    curl_easy_reset(curl);
    text_addf(&url, "http://127.0.0.1:%d%s", port, request->path);
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (is_head) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request->body != NULL || !plain_get) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(request->len != 0 ? request->len : strlen(sent)));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, head);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    text_finish(&url);
    return status;
}
