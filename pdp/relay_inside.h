/*
 * The inside of relay.h, shared by relay.c (fetching), relay_policy.c (which issuers there are) and
 * relay_report.c (what is said of them). Nobody else includes this.
 *
 * A source is an address. An entry is one relayed issuer of one bundle's head; several entries may
 * have one source, and judge its document by different thumbprints, so each has its own last good
 * one. Documents are shared by counting.
 */
#ifndef PDP_RELAY_INSIDE_H
#define PDP_RELAY_INSIDE_H

#include "relay.h"

#include "pep/core/issuers.h"

struct document {
    size_t users, size;
    uint8_t bytes[];
};

struct source {
    uint64_t id;
    char *url;
    size_t entries;
    struct document *latest; /* what the address had when it was last seen; NULL: never */
    char etag[RELAY_ETAG];   /* of `latest` */
    struct relay_time seen;  /* when it was there */
    int64_t max_age_s;
    int64_t begun, next; /* steady: the last fetch began; the next is due */
    bool tried, busy, looked;
    unsigned failures; /* in a row */
    char error[RELAY_ERROR];
    int64_t failed; /* wall: when it last did; 0: never */
    struct source *following;
};

enum entry_state { ENTRY_WAITING, ENTRY_GOOD, ENTRY_FAILING, ENTRY_EXPIRED, ENTRY_ABSENT };

struct entry {
    struct source *source;
    const struct pep_issuer *issuer; /* of the bundle's table */
    uint8_t hash[PEP_SHA256_SIZE];   /* of its name */
    struct document *good;           /* NULL: none */
    struct relay_time seen;          /* when `good` was at its address */
    size_t keys;                     /* in `good`, that may be used */
    char error[RELAY_ERROR];         /* why a newer document is not taken; "": there is none */
    enum entry_state state;          /* as it was logged */
};

struct holding { /* one bundle's */
    char bundle[PEP_NAME_MAX + 1];
    struct pep_issuers *issuers;
    struct entry *entries;
    size_t count;
    uint64_t seq;
    bool changed;
    struct holding *following;
};

struct relay {
    struct relay_parts parts;
    struct source *sources;
    struct holding *holdings;
    uint64_t ids;
    uint64_t stamp; /* the last number given to any bundle's keys */
    unsigned busy;
};

struct holding *relay_holding(const struct relay *r, const char *bundle); /* NULL: none */

struct document *document_share(struct document *d); /* NULL in, NULL out */
void document_free(struct document *d);              /* one user less */
bool document_is(const struct document *d, struct pep_span bytes);
int document_new(struct pep_span bytes, struct document **ret);

/* Takes the document as this entry's good one, seen at `seen`, if its policy can use it. Else the
 * reason stays in the entry. Errors: EFORMAT, ELIMIT, ENOMEM. */
int entry_take(struct entry *e, struct document *d, struct relay_time seen);
/* How long ago its keys were seen. */
int64_t entry_age(const struct entry *e, struct relay_time now);
enum entry_state entry_state(const struct entry *e, struct relay_time now);

/* The next number, never falling. */
uint64_t relay_stamp(struct relay *r, struct relay_time now);

#endif
