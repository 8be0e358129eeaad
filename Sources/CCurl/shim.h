// libcurl's variadic setters and getters as plain functions.
#pragma once
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <stdlib.h>

static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_size(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }

// Before 8.1 a transfer of HTTP/2 that is paused and resumed several times may hang (curl/curl#10988); a slow client has its
// answer paused.
static inline int ccurl_hangs_paused(void) { return curl_version_info(CURLVERSION_NOW)->version_num < 0x080100; }

// A handle that writes what goes wrong with it into a buffer of its own; both NULL where memory is short.
typedef struct { CURL *easy; char *details; } ccurl_handle;
static inline ccurl_handle ccurl_open(void) {
    ccurl_handle h = { curl_easy_init(), calloc(1, CURL_ERROR_SIZE) };
    if (!h.easy || !h.details) {
        curl_easy_cleanup(h.easy);
        free(h.details);
        return (ccurl_handle){ 0, 0 };
    }
    curl_easy_setopt(h.easy, CURLOPT_ERRORBUFFER, h.details);
    curl_easy_setopt(h.easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h.easy, CURLOPT_QUICK_EXIT, 1L);
    if (ccurl_hangs_paused()) curl_easy_setopt(h.easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return h;
}
static inline void ccurl_close(ccurl_handle h, struct curl_slist *headers) {
    curl_easy_cleanup(h.easy);
    curl_slist_free_all(headers);
    free(h.details);
}
// The way to the server: NULL leaves the issuers to libcurl's own places, an empty proxy is none.
static inline void ccurl_set_way(CURL *h, const char *proxy, const char *no_proxy, const char *ca_file, const char *ca_path,
                                 int unpacks) {
    // Asks for what is not packed, and unpacks what comes packed all the same; else what comes is taken as it is.
    if (unpacks) curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "identity");
    curl_easy_setopt(h, CURLOPT_PROXY, proxy);
    curl_easy_setopt(h, CURLOPT_NOPROXY, no_proxy);
    if (ca_file) {
        curl_easy_setopt(h, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, ca_file);
    }
    if (ca_path) {
        curl_easy_setopt(h, CURLOPT_CAPATH, ca_path);
        curl_easy_setopt(h, CURLOPT_PROXY_CAPATH, ca_path);
    }
}

typedef size_t (*ccurl_data)(char *, size_t, size_t, void *);
static inline CURLcode ccurl_set_data(CURL *h, CURLoption o, ccurl_data f) { return curl_easy_setopt(h, o, f); }

typedef int (*ccurl_seek)(void *, curl_off_t, int);
static inline CURLcode ccurl_set_seek(CURL *h, ccurl_seek f) { return curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, f); }

static inline long ccurl_get_long(CURL *h, CURLINFO i) { long v = 0; curl_easy_getinfo(h, i, &v); return v; }
// The socket of a transfer that is over, where its connection is kept and carries one at a time; else CURL_SOCKET_BAD.
static inline curl_socket_t ccurl_kept_socket(CURL *h) {
    curl_socket_t s = CURL_SOCKET_BAD;
    if (ccurl_get_long(h, CURLINFO_HTTP_VERSION) < CURL_HTTP_VERSION_2_0) curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, &s);
    return s;
}
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
