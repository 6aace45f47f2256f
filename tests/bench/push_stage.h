/*
 * The stage of the push benchmark: a real pdpd with a root and a bundle of its own, an operator who
 * pushes to it, services that join it, and the bare XPUB + CURVE notice beside it. Whatever fails
 * here ends the program with a message: there is nothing to measure then.
 */
#ifndef TESTS_BENCH_PUSH_STAGE_H
#define TESTS_BENCH_PUSH_STAGE_H

#include "pep/client_inside.h"
#include "pep/core/sign.h"

#include <sys/types.h>

#define STAGE_RULES      100 /* in ten files, of which a push changes one */
#define STAGE_BUNDLE     "acme"
#define STAGE_TIMEOUT_MS 60000

struct stage {
    char folder[64];
    pid_t pdpd;
    int port;
    void *context;
    struct pep_link operator_link;
    struct pep_private_key *root_key, *policy_key;
    char server_key[PEP_Z85_SIZE + 1];
    uint8_t root_sha256[PEP_SHA256_SIZE];
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
};

_Noreturn void stage_die(const char *what, const char *why);

/* Starts `pdpd`, uploads a root, pushes version 1. */
void stage_open(struct stage *s, const char *pdpd);
void stage_close(struct stage *s);
/* Joins a service of this name into FOLDER/NAME. */
void stage_join(struct stage *s, const char *name, char *ret_folder, size_t size);
/* Signs the next version, then pushes it and waits for pdpd's answer; *ret_begin_ns: when it was
 * sent. */
void stage_push(struct stage *s, uint64_t *ret_begin_ns);

/* ---- generated peers: libpep's own state machine and sockets without a policy engine, all in one
 * context and one thread ---- */

struct peers;

struct peers *peers_open(struct stage *s, size_t count);
void peers_close(struct peers *p);
/* How many of them have this version (or a later one). */
size_t peers_at(struct peers *p, uint64_t version);

/* ---- the bare notice ---- */

struct bare;

struct bare *bare_open(size_t subscribers);
void bare_close(struct bare *b);
/* Sends one notice; nanoseconds until each subscriber has it, into ret_ns[subscribers]. */
void bare_round(struct bare *b, double *ret_ns);

#endif
