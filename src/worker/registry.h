/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The registry of one fetch: where it is, how to talk to it, and what may be told to whom. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "worker/challenge.h"
#include "worker/proxy.h"

struct err;

enum registry_auth { REGISTRY_ANONYMOUS, REGISTRY_BASIC, REGISTRY_BEARER };

struct registry {
        bool is_open;
        bool insecure;     /* plain HTTP, or a certificate that nobody vouches for, will do */
        bool plain;        /* http, not https */
        bool plain_known;  /* an answer has come that way */
        enum registry_auth auth; /* as the registry has asked for */
        struct challenge challenge;
        char *host;        /* with port, as the person wrote it: for messages */
        char *authority;   /* as in URLs */
        char *repository;  /* "": only to be asked whether it knows us */
        char *from;        /* one more repository that tokens are to be good for: what blobs are mounted from; NULL: none */
        bool push;         /* tokens are to be good for pushing, too */
        bool remove;       /* … and for deleting */
        bool offline;      /* an identity token is wanted */
        char *username, *password, *identity_token, *ca_pem; /* NULL: none */
        char *cert_pem, *key_pem; /* ours, to be shown to the registry and nobody else; NULL: none */
        char *token;       /* of the realm; NULL: none yet */
        char *granted;     /* identity token of the realm; NULL: none */
        unsigned tries_max; /* of a request that may go better next time, after the first one */
        char *http_proxy, *https_proxy, *no_proxy; /* NULL: none */
};

/* From an "open" message. ERR_INVALID: something in it has a wrong form. */
int registry_open(struct registry *r, const json_t *job, struct err *err);
void registry_done(struct registry *r);

bool registry_is_tag(const char *reference);
bool registry_is_repository(const char *name);
/* "https://host/v2/". */
char *registry_base_url(const struct registry *r);

/* "v1/search?q=x", "v2/_catalog": a path of plain parts, and an escaped query. */
bool registry_is_place(const char *place);
/* The place of a URL of the registry's own; the caller frees; NULL: it is none. */
char *registry_place_of(const struct registry *r, const char *url);
/* "https://host/PLACE"; the caller frees; NULL when memory is out. */
char *registry_place_url(const struct registry *r, const char *place);

/* "https://host/v2/REPOSITORY/WHAT/REFERENCE"; the caller frees; NULL when memory is out. */
char *registry_url(const struct registry *r, const char *what, const char *reference);

/* The proxy for a request to `url`; "": none. */
const char *registry_proxy(const struct registry *r, const char *url);

/* Would a request to `url` go to the registry itself (scheme, host and port)? Credentials go nowhere else. */
bool registry_is_own_url(const struct registry *r, const char *url);
/* May a redirect lead there? Never from TLS to plain text. */
bool registry_may_follow(const char *from, const char *to);
/* May `realm` be asked for a token: over TLS, or like the registry itself where that is plain. */
bool registry_may_ask_realm(const struct registry *r, const char *realm);

/* A token of what the realm has answered. ERR_UNAVAILABLE: it makes no sense. Takes the place of the old one. */
int registry_take_token(struct registry *r, const char *answer, size_t size, struct err *err);
/* The query ("service=…&scope=…"), or the form to be posted with an identity token; the caller frees. NULL when memory is out. */
char *registry_token_query(const struct registry *r);
char *registry_token_form(const struct registry *r);
