/*
 * The inside of the sync state machine, shared by its files: sync.c (states and timers),
 * sync_life.c (making one, actions, looking in), sync_beside.c (what may come in any state),
 * sync_verify.c (messages into verified facts), sync_fill.c (a manifest into a bundle).
 */
#ifndef PEP_SYNC_STATE_H
#define PEP_SYNC_STATE_H

#include "pep/sync.h"

#define ACTIONS_MAX 32

/* Times in milliseconds. */
#define ANSWER_TIMEOUT   5000   /* question to answer */
#define FILE_TIMEOUT     10000  /* between two files */
#define FILL_TIMEOUT     600000 /* manifest to last file: endless or slow data ends here */
#define BACKOFF_FIRST    500
#define BACKOFF_MAX      30000
#define REJECTED_RETRY   300000 /* the same refused version is tried again only after this */
#define REVOKED_RETRY    60000
#define SUSPENDED_RETRY  5000  /* at most: an operator who resumes wants to see it */
#define SILENCE          5000  /* no beacon for so long: ask */
#define RESUBSCRIBE_MIN  15000 /* ... and for so long while answers come: new notice socket */
#define RESUBSCRIBE_MAX  120000
#define CLOCKS_APART     2000 /* wall and boot time drifted apart: a clock was set */
#define REPORT_SOON_MIN  20   /* tell the server what came of an activation, not all at once */
#define REPORT_SOON_SPAN 180
#define FAILURES_ROTATE  2 /* failures in a row before another endpoint is tried */

/* ---- a bundle being put together (sync_fill.c) ---- */

struct pep_part {
    uint8_t hash[PEP_SHA256_SIZE];
    size_t size;
    const uint8_t *data; /* NULL: missing */
    bool owned;
};
struct pep_fill {
    struct pep_manifest *manifest;
    struct pep_part *parts; /* one per distinct hash, sorted by it */
    size_t count, missing, outstanding;
};

/* Takes the manifest, also on failure; looks its files up in the bundles at hand (may be NULL),
 * which must outlive the fill. */
int pep_fill_begin(struct pep_fill *f, struct pep_manifest *manifest, const struct pep_bundle *a,
                   const struct pep_bundle *b);
void pep_fill_clear(struct pep_fill *f);
/* Files not asked for are ignored; wrong content is PEP_EFORMAT. *ret_new: one less is missing. */
int pep_fill_add(struct pep_fill *f, const struct pep_file_frame *file, bool *ret_new);
/* Fills in the next hashes to ask for. */
void pep_fill_want(struct pep_fill *f, struct pep_want *ret);
/* All there: the bundle. Takes the manifest out of *f. */
int pep_fill_end(struct pep_fill *f, struct pep_bundle **ret, struct pep_error *err);

/* ---- the machine ---- */

struct pep_sync {
    struct pep_sync_options options;
    char bundle[PEP_NAME_MAX + 1];
    char client_key[PEP_Z85_SIZE + 1];
    char library[32];

    enum pep_sync_phase phase;
    struct pep_moment now;
    bool begun; /* the first step was made */

    struct pep_root *root;
    struct pep_span *new_roots; /* envelopes followed since the start, owned */
    size_t new_root_count;
    struct pep_bundle *running, *fallback, *incoming;
    struct pep_memory memory;
    bool none;

    /* the conversation */
    struct pep_fetch fetch;
    struct pep_want want;
    struct pep_fill fill;
    struct pep_head assigned;
    struct pep_moment asked;
    uint64_t seq_at_ask;
    int64_t issued_at_ask;
    int64_t phase_ends; /* ASKING, FILLING, WAITING */
    int64_t fill_ends;
    int64_t next_fetch; /* IDLE */
    unsigned failures;
    bool rebuild; /* the sockets are dead: rotate before the next question */

    /* the server's clock, tied to ours by the last answer */
    bool anchored;
    struct pep_moment anchor;
    int64_t anchor_issued_at;

    /* notices */
    char channel[PEP_CHANNEL_MAX + 1]; /* "" until the first answer */
    struct pep_feeds feeds;            /* how far the server has come, says its newest word */
    struct pep_head hint;              /* head of the newest notice */
    struct pep_head settled;           /* the hint that the last finished conversation dealt with */
    uint64_t hint_seq, hint_seq_at_ask;
    uint64_t heard_seq; /* notices up to this one are covered by an answer */
    int64_t last_beacon, last_answer, last_resubscribe, resubscribe_after;

    struct pep_head rejected; /* the last version refused here ... */
    int64_t rejected_until;
    struct pep_error rejection; /* ... and why */
    struct pep_error failure;   /* the last one of other kind */
    int64_t proof_saved;        /* wall time of the proof on disk */

    struct pep_sync_action actions[ACTIONS_MAX];
    size_t action_first, action_count;
};

void pep_sync_emit(struct pep_sync *s, enum pep_sync_action_kind kind, int code, const char *text);
void pep_sync_log(struct pep_sync *s, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct pep_head pep_manifest_head(const struct pep_manifest *m);
/* What runs, all zero without. */
struct pep_head pep_sync_head(const struct pep_sync *s);
/* The running version was current at `at`. */
void pep_sync_prove(struct pep_sync *s, struct pep_moment at);

/* The conversation failed: back off, and perhaps try another endpoint. */
void pep_sync_fail(struct pep_sync *s, int code, const char *text);

/* ---- sync_beside.c: what may come in any state ---- */

void pep_sync_on_notice(struct pep_sync *s, const struct pep_sync_event *e);
void pep_sync_on_statement(struct pep_sync *s, const struct pep_sync_event *e);
void pep_sync_on_link_refused(struct pep_sync *s);
void pep_sync_watch_clocks(struct pep_sync *s);
void pep_sync_watch_silence(struct pep_sync *s);

/* ---- sync_verify.c: bytes into facts, or nothing ---- */

/* Verifies an ANSWER to the question under way, following the roots that come with it. Updates
 * root, anchor, channel and the rising (root, seq, issued_at). */
int pep_sync_read_answer(struct pep_sync *s, const struct pep_span *frames, size_t count,
                         struct pep_answer *ret, struct pep_error *err);
/* The FILE frames of an answer begin here. */
size_t pep_sync_files_at(const struct pep_answer *answer);
/* Opens the manifest of an answer and holds it against name, epoch, floor, expiry and digest. */
int pep_sync_read_manifest(struct pep_sync *s, const struct pep_answer *answer,
                           struct pep_span envelope, struct pep_manifest **ret,
                           struct pep_error *err);
/* PEP_OK: verified and newer than all before. PEP_ESIGNATURE: perhaps by a key of a newer root. */
int pep_sync_read_notice(struct pep_sync *s, const struct pep_span *frames, size_t count,
                         struct pep_notice *ret);
/* About this client's own key, verified and newer than all before. */
int pep_sync_read_statement(struct pep_sync *s, struct pep_span frame, struct pep_statement *ret);

#endif
