/*
 * The messages between pdpd and its clients, as bytes. Pure: no sockets. docs/protocol.md tells the
 * story; this is the grammar.
 *
 * Every ZeroMQ message is multipart. Frame 0 starts with a 4-byte head: 'P' 'D', version 1, type.
 * Integers are big endian, strings have a 16-bit length. Anything longer, shorter or unknown is
 * refused whole. Signed bodies are in the compact form of envelope.h, signed by the beacon role.
 *
 *   port +0 (XPUB -> SUB)       [topic: bundle name, NUL] [NOTICE signed]
 *   port +1 (DEALER -> ROUTER)  [FETCH]                      what I have, a nonce, my report
 *           (ROUTER -> DEALER)  [ANSWER signed] [manifest envelope or empty] [root envelope]*
 *                               [FILE ...]*                  as many files as fit PEP_INLINE_MAX
 *           (DEALER -> ROUTER)  [WANT]                       hashes that are still missing
 *           (ROUTER -> DEALER)  [FILE] per hash, one message each; or [REFUSED]
 *           (ROUTER -> DEALER)  [STATEMENT signed]           revoked / suspended / resumed
 *           (DEALER -> ROUTER)  [FEED]                       wire_feed.h: revoked tokens,
 *           (ROUTER -> DEALER)  [REVOKED] ...                and token keys
 *   port +2 (DEALER -> ROUTER)  [ENROL]
 *           (ROUTER -> DEALER)  [ENROLLED] [root envelope]+ from the pinned one to the newest; or
 *                               [REFUSED]
 *   port +3 (DEALER -> ROUTER)  [OPERATE] [JSON request] [bytes]?     see docs/protocol.md
 *           (ROUTER -> DEALER)  [OPERATED] [JSON answer] [bytes]?
 *
 * Files are found by hash, so a client asks only for what it lacks: a small change travels as one
 * small file, and join, update, gap, reconnect and restart are the same path. Rejected: server-side
 * deltas between versions, which need the server to know every version that a client might have.
 */
#ifndef PEP_CORE_WIRE_H
#define PEP_CORE_WIRE_H

#include "bundle.h"

#define PEP_WIRE_VERSION  1
#define PEP_NOTICE_MAX    512
#define PEP_REQUEST_MAX   (64 * 1024)       /* one frame to the fetch port */
#define PEP_ENROL_MAX     4096              /* one frame to the enrol port */
#define PEP_REPLY_MAX     (4 * 1024 * 1024) /* one frame to a client */
#define PEP_INLINE_MAX    (256 * 1024)      /* file bytes inside one ANSWER */
#define PEP_WANT_MAX      64                /* hashes in one WANT */
#define PEP_NONCE_SIZE    16
#define PEP_REPORTER_SIZE 8
#define PEP_SECRET_SIZE   32
#define PEP_CHANNEL_MAX   63 /* "main", or a canary's name */
#define PEP_CLIENT_ID_MAX 79 /* "NAME/k" */
#define PEP_REASON_TEXT   200
#define PEP_ENDPOINT_MAX  255
#define PEP_ENDPOINTS     8
#define PEP_Z85_SIZE      40

enum pep_message {
    PEP_MSG_NOTICE = 1,
    PEP_MSG_FETCH = 2,
    PEP_MSG_ANSWER = 3,
    PEP_MSG_WANT = 4,
    PEP_MSG_FILE = 5,
    PEP_MSG_STATEMENT = 6,
    PEP_MSG_ENROL = 7,
    PEP_MSG_ENROLLED = 8,
    PEP_MSG_REFUSED = 9,
    PEP_MSG_OPERATE = 10,
    PEP_MSG_OPERATED = 11,
    PEP_MSG_FEED = 12,
    PEP_MSG_REVOKED = 13,
    PEP_MSG_KEYS = 14,
    PEP_MSG_LAST = PEP_MSG_KEYS
};

/* The type of a frame 0, or PEP_EFORMAT. */
int pep_message_type(struct pep_span frame);

/* A version as it travels: all zero means none. */
struct pep_head {
    uint32_t epoch;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
};

/* ---- what travels beside bundles: how far it has come; content by FEED, see wire_feed.h ---- */
struct pep_feeds {
    uint64_t revocations; /* number of the newest list of revoked tokens; 0: none */
    uint8_t revocations_digest[PEP_SHA256_SIZE]; /* of its step: all zero with number 0 */
    uint64_t keys; /* rises with each change or renewal of this bundle's relayed keys; 0: none */
};

/* ---- NOTICE: at once on publish, and every second as the beacon ---- */
struct pep_notice {
    char bundle[PEP_NAME_MAX + 1];
    char channel[PEP_CHANNEL_MAX + 1];
    uint32_t root;     /* version of the newest root document */
    uint64_t seq;      /* rises with every notice of this bundle and channel */
    int64_t issued_at; /* Unix milliseconds; (root, seq, issued_at) must rise */
    struct pep_head head;
    uint64_t floor; /* versions below this may not be activated anew (0: no floor) */
    struct pep_feeds feeds;
};

/* ---- FETCH ---- */
enum pep_fetch_flags { PEP_FETCH_REPORT_ONLY = 1 /* a report: the answer brings no content */ };
struct pep_fetch {
    uint8_t nonce[PEP_NONCE_SIZE];
    uint8_t reporter[PEP_REPORTER_SIZE]; /* random per process */
    uint8_t flags;
    char bundle[PEP_NAME_MAX + 1];
    uint32_t root;            /* newest root version that the client holds */
    struct pep_head have;     /* active */
    struct pep_head rejected; /* last version refused by the client, if any */
    uint8_t state;            /* pep_state */
    uint64_t age_ms;
    uint64_t revocations; /* step of the list of revoked tokens that decisions look at */
    int16_t error;        /* pep_err of the rejection or last failure */
    char reason[PEP_REASON_TEXT + 1];
    char library[32]; /* "libpep 0.1.0" */
};

/* ---- ANSWER ---- */
enum pep_answer_kind {
    PEP_ANSWER_SAME = 1,    /* you have your assigned version */
    PEP_ANSWER_VERSION = 2, /* the manifest follows */
    PEP_ANSWER_NONE = 3,    /* nothing published for you, out of scope, or no such bundle */
};
struct pep_answer {
    uint8_t nonce[PEP_NONCE_SIZE];
    uint8_t kind;
    char bundle[PEP_NAME_MAX + 1];
    char channel[PEP_CHANNEL_MAX + 1];
    uint32_t root;
    uint64_t seq; /* of the newest notice; later ones continue from it */
    int64_t issued_at;
    struct pep_head head; /* assigned */
    uint64_t floor;
    struct pep_feeds feeds;
    uint16_t roots; /* root frames in this message */
    uint16_t files; /* FILE frames in this message */
};

/* ---- WANT and FILE ---- */
struct pep_want {
    uint8_t nonce[PEP_NONCE_SIZE];
    char bundle[PEP_NAME_MAX + 1];
    uint16_t count;
    uint8_t hashes[PEP_WANT_MAX][PEP_SHA256_SIZE];
};
struct pep_file_frame {
    uint8_t nonce[PEP_NONCE_SIZE];
    uint8_t hash[PEP_SHA256_SIZE];
    struct pep_span content; /* borrowed */
};

/* ---- STATEMENT ---- */
enum pep_statement_kind {
    PEP_STATEMENT_REVOKED = 1,
    PEP_STATEMENT_SUSPENDED,
    PEP_STATEMENT_RESUMED
};
struct pep_statement {
    uint8_t kind;
    char client_key[PEP_Z85_SIZE + 1]; /* the CURVE key that it is about */
    char client[PEP_CLIENT_ID_MAX + 1];
    uint64_t seq; /* rises per client; the highest one counts */
    int64_t issued_at;
};

/* ---- ENROL ---- */
struct pep_enrol {
    uint8_t nonce[PEP_NONCE_SIZE];
    char token_id[33];
    uint8_t secret[PEP_SECRET_SIZE];
    char host[128]; /* for the operator's eyes only */
};
struct pep_enrolled {
    uint8_t nonce[PEP_NONCE_SIZE];
    char client[PEP_CLIENT_ID_MAX + 1];
    char bundle[PEP_NAME_MAX + 1];
    uint8_t endpoint_count; /* pairs */
    char notices[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1];
    char fetch[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1];
};

/* ---- REFUSED: deliberately vague for clients; `reference` is in pdpd's log ---- */
struct pep_refused {
    uint8_t nonce[PEP_NONCE_SIZE];
    char reference[33];
    char reason[PEP_REASON_TEXT + 1];
};

/* Writers append a whole frame (head and body). Signed ones append the body to be signed by
 * pep_compact_sign() with the type beside it. Readers take a whole frame; for signed ones, the body
 * that pep_compact_verify() returned. Readers: 0 or PEP_EFORMAT, outputs untouched on failure. */
void pep_notice_write(const struct pep_notice *m, struct pep_buffer *out); /* PEP_TYPE_NOTICE */
int pep_notice_read(struct pep_span body, struct pep_notice *ret);
void pep_fetch_write(const struct pep_fetch *m, struct pep_buffer *out);
int pep_fetch_read(struct pep_span frame, struct pep_fetch *ret);
void pep_answer_write(const struct pep_answer *m, struct pep_buffer *out); /* PEP_TYPE_ANSWER */
int pep_answer_read(struct pep_span body, struct pep_answer *ret);
void pep_want_write(const struct pep_want *m, struct pep_buffer *out);
int pep_want_read(struct pep_span frame, struct pep_want *ret);
void pep_file_write(const struct pep_file_frame *m, struct pep_buffer *out);
int pep_file_read(struct pep_span frame, struct pep_file_frame *ret);
void pep_statement_write(const struct pep_statement *m, struct pep_buffer *out); /* ..STATEMENT */
int pep_statement_read(struct pep_span body, struct pep_statement *ret);
void pep_enrol_write(const struct pep_enrol *m, struct pep_buffer *out);
int pep_enrol_read(struct pep_span frame, struct pep_enrol *ret);
void pep_enrolled_write(const struct pep_enrolled *m, struct pep_buffer *out);
int pep_enrolled_read(struct pep_span frame, struct pep_enrolled *ret);
void pep_refused_write(const struct pep_refused *m, struct pep_buffer *out);
int pep_refused_read(struct pep_span frame, struct pep_refused *ret);
/* OPERATE and OPERATED: just the head and a nonce, so that answers find their requests. */
void pep_operate_write(enum pep_message type, const uint8_t nonce[PEP_NONCE_SIZE],
                       struct pep_buffer *out);
int pep_operate_read(struct pep_span frame, uint8_t nonce[PEP_NONCE_SIZE]);

/* ---- the enrolment token: "pdpe1." + base64url JSON ---- */
struct pep_enrol_token {
    char endpoints[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1]; /* enrol ports */
    size_t endpoint_count;
    char server_key[PEP_Z85_SIZE + 1];
    uint8_t root_sha256[PEP_SHA256_SIZE];
    char bundle[PEP_NAME_MAX + 1];
    char id[33];
    uint8_t secret[PEP_SECRET_SIZE];
};
int pep_enrol_token_write(const struct pep_enrol_token *t, struct pep_buffer *out);
int pep_enrol_token_read(struct pep_span text, struct pep_enrol_token *ret, struct pep_error *err);

#endif
