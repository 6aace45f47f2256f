/*
 * The bytes of the cache's `state` file:
 *
 *     "PDPC", u16 format 1, the fields of struct cache_state in order, 32 bytes SHA-256 of all
 * before
 *
 * Big endian, strings with a 16-bit length, nothing optional: a file either is exactly this or
 * counts as damaged. Binary and not JSON, because it is rewritten every few seconds and must have
 * one form.
 */
#include "pep/cache_state.h"
#include "pep/core/crypto.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FORMAT     1
#define CLOCK_SLIP 60000 /* ms that a wall clock may be behind after a reboot */

static const char magic[4] = {'P', 'D', 'P', 'C'};

static void put_head(struct pep_buffer *b, const struct pep_head *h)
{
    pep_put_u32(b, h->epoch);
    pep_put_u64(b, h->version);
    pep_put_bytes(b, h->digest, sizeof(h->digest));
}

static void get_head(struct pep_cursor *c, struct pep_head *h)
{
    h->epoch = pep_get_u32(c);
    h->version = pep_get_u64(c);
    pep_get_copy(c, h->digest, sizeof(h->digest));
}

static void put_memory(struct pep_buffer *b, const struct pep_memory *m)
{
    put_head(b, &m->floor);
    pep_put_u64(b, (uint64_t)m->proof.wall_ms);
    pep_put_u64(b, (uint64_t)m->proof.boot_ms);
    pep_put_u32(b, m->root);
    pep_put_u64(b, m->seq);
    pep_put_u64(b, (uint64_t)m->issued_at);
    pep_put_u8(b, m->statement);
    pep_put_u64(b, m->statement_seq);
}

static void get_memory(struct pep_cursor *c, struct pep_memory *m)
{
    get_head(c, &m->floor);
    m->proof.wall_ms = (int64_t)pep_get_u64(c);
    m->proof.boot_ms = (int64_t)pep_get_u64(c);
    m->root = pep_get_u32(c);
    m->seq = pep_get_u64(c);
    m->issued_at = (int64_t)pep_get_u64(c);
    m->statement = pep_get_u8(c);
    m->statement_seq = pep_get_u64(c);
}

int cache_state_write(const struct cache_state *state, struct pep_buffer *out)
{
    uint8_t sum[PEP_SHA256_SIZE];
    size_t begin = out->size;
    pep_put_bytes(out, magic, sizeof(magic));
    pep_put_u16(out, FORMAT);
    pep_put_text(out, state->bundle);
    pep_put_text(out, state->installation);
    pep_put_text(out, state->client_key);
    put_memory(out, &state->memory);
    pep_put_bytes(out, state->boot_id, sizeof(state->boot_id));
    pep_put_u32(out, state->roots_size);
    pep_put_bytes(out, state->roots_sha256, sizeof(state->roots_sha256));
    pep_put_u8(out, state->slot_count);
    for (size_t i = 0; i < state->slot_count; i++) {
        put_head(out, &state->slots[i].head);
        pep_put_bytes(out, state->slots[i].file_sha256, PEP_SHA256_SIZE);
        pep_put_u64(out, state->slots[i].file_size);
    }
    if (out->failed)
        return PEP_ENOMEM;
    int rc = pep_sha256(pep_span_of(out->data + begin, out->size - begin), sum);
    if (rc != PEP_OK)
        return rc;
    pep_put_bytes(out, sum, sizeof(sum));
    return out->failed ? PEP_ENOMEM : PEP_OK;
}

static void get_fields(struct pep_cursor *c, struct cache_state *s)
{
    pep_get_text(c, s->bundle, sizeof(s->bundle));
    pep_get_text(c, s->installation, sizeof(s->installation));
    pep_get_text(c, s->client_key, sizeof(s->client_key));
    get_memory(c, &s->memory);
    pep_get_copy(c, s->boot_id, sizeof(s->boot_id));
    s->roots_size = pep_get_u32(c);
    pep_get_copy(c, s->roots_sha256, sizeof(s->roots_sha256));
    s->slot_count = pep_get_u8(c);
    if (s->slot_count > CACHE_SLOTS)
        c->failed = true;
    for (size_t i = 0; i < s->slot_count && !c->failed; i++) {
        get_head(c, &s->slots[i].head);
        pep_get_copy(c, s->slots[i].file_sha256, PEP_SHA256_SIZE);
        s->slots[i].file_size = pep_get_u64(c);
    }
}

int cache_state_read(struct pep_span bytes, struct cache_state *ret, struct pep_error *err)
{
    uint8_t sum[PEP_SHA256_SIZE];
    struct cache_state s = {.slot_count = 0};
    if (bytes.size < sizeof(magic) + sizeof(sum))
        return pep_error_set(err, PEP_EFORMAT, "cache: state is cut off");
    struct pep_span content = {bytes.data, bytes.size - sizeof(sum)};
    if (pep_sha256(content, sum) != PEP_OK ||
        memcmp(sum, content.data + content.size, sizeof(sum)) != 0)
        return pep_error_set(err, PEP_EFORMAT, "cache: state is damaged (checksum)");
    struct pep_cursor c = pep_cursor_of(content);
    struct pep_span begin = pep_get_bytes(&c, sizeof(magic));
    uint16_t format = pep_get_u16(&c);
    if (!pep_span_equal(begin, pep_span_of(magic, sizeof(magic))) || format != FORMAT)
        return pep_error_set(err, PEP_EFORMAT, "cache: state is of an unknown format");
    get_fields(&c, &s);
    if (!pep_cursor_done(&c) || s.memory.statement > PEP_STATEMENT_RESUMED)
        return pep_error_set(err, PEP_EFORMAT, "cache: state is damaged");
    *ret = s;
    return PEP_OK;
}

void cache_boot_id(uint8_t out[CACHE_BOOT_ID])
{
    char text[64] = "", hex[2 * CACHE_BOOT_ID + 1];
    size_t n = 0;
    memset(out, 0, CACHE_BOOT_ID);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    for (ssize_t i = 0; i < got && n < sizeof(hex) - 1; i++) {
        if (text[i] != '-')
            hex[n++] = text[i];
    }
    if (n == sizeof(hex) - 1)
        (void)pep_hex_decode(pep_span_of(hex, n), out, CACHE_BOOT_ID);
}

void cache_state_rebase(struct cache_state *state, const uint8_t boot_id[CACHE_BOOT_ID],
                        struct pep_moment now)
{
    static const uint8_t unknown[CACHE_BOOT_ID];
    struct pep_moment *proof = &state->memory.proof;
    bool same = memcmp(state->boot_id, boot_id, CACHE_BOOT_ID) == 0 &&
                memcmp(boot_id, unknown, CACHE_BOOT_ID) != 0;
    if (proof->wall_ms <= 0)
        return;
    if (same && proof->boot_ms <= now.boot_ms)
        return;
    int64_t age = now.wall_ms - proof->wall_ms;
    if (age < -CLOCK_SLIP) {
        memset(proof, 0, sizeof(*proof));
        return;
    }
    proof->boot_ms = now.boot_ms - (age > 0 ? age : 0);
}
