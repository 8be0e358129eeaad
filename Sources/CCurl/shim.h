// libcurl's variadic setters and getters as plain functions.
#pragma once
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>

static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_size(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }

typedef size_t (*ccurl_data)(char *, size_t, size_t, void *);
static inline CURLcode ccurl_set_data(CURL *h, CURLoption o, ccurl_data f) { return curl_easy_setopt(h, o, f); }

typedef int (*ccurl_seek)(void *, curl_off_t, int);
static inline CURLcode ccurl_set_seek(CURL *h, ccurl_seek f) { return curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, f); }

static inline long ccurl_get_long(CURL *h, CURLINFO i) { long v = 0; curl_easy_getinfo(h, i, &v); return v; }
static inline void *ccurl_get_private(CURL *h) { char *v = 0; curl_easy_getinfo(h, CURLINFO_PRIVATE, &v); return v; }

typedef int (*ccurl_socket)(CURL *, curl_socket_t, int, void *, void *);
typedef int (*ccurl_timer)(CURLM *, long, void *);
static inline void ccurl_multi_callbacks(CURLM *m, ccurl_socket s, ccurl_timer t, void *context) {
    curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, s);
    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, context);
    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, t);
    curl_multi_setopt(m, CURLMOPT_TIMERDATA, context);
}
// The message's fields without its union; returns NULL when there is none.
static inline CURL *ccurl_next_done(CURLM *m, CURLcode *result) {
    int left;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(m, &left)))
        if (msg->msg == CURLMSG_DONE) { *result = msg->data.result; return msg->easy_handle; }
    return 0;
}
