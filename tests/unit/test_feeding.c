/*
 * The client's side of revoked tokens and relayed keys without a network, told as stories: what the
 * server says, what is asked, what comes. A story is a table of lines; each line does one thing or
 * looks at one thing.
 */
#include "feeding_kit.h"

/* ---- lines ---- */

enum op {
    TELL,      /* the server's word: list n */
    TELL_KEYS, /* the server's word: keys n */
    TELL_OTHER,
    TELL_EMPTY,
    WAIT, /* n ms */
    UP,
    DOWN,
    LOOK,
    RANDOM, /* n: works */
    ASKS,   /* a question, from list n */
    LOOKS,  /* the same, and it says `look` */
    QUIET,
    DUE, /* the deadline is in n ms; -1: there is none */
    STEPS_TO,
    FROM_ZERO, /* steps from the first, to n */
    STRANGE,   /* steps to n, signed by a stranger */
    LATE,      /* steps to n, for another question */
    SET,
    STRANGE_SET,
    MIXED_SET, /* step n with the set of n - 1 */
    OTHER_SET,
    SAME,
    NONE,
    KEYS,
    STRANGE_KEYS,
    LATE_KEYS,
    HAS,      /* list n */
    HAS_KEYS, /* n */
    BEHIND,
    CHANGED, /* n: PEP_FED_* */
};

struct line {
    enum op op;
    int64_t n;
    int expect;
};

static int plain(enum pep_revoked_kind kind)
{
    struct answer a = {.count = 0};
    put_head(&a, (struct pep_revoked){.kind = (uint8_t)kind}, false);
    return give(&a);
}

/* What the network does. True: it was one of these. */
static bool run_network(const struct line *l)
{
    switch (l->op) {
    case TELL:
        tell_list(w.lists[l->n]);
        return true;
    case TELL_KEYS:
        w.word.keys = (uint64_t)l->n;
        tell();
        return true;
    case TELL_OTHER:
        tell_list(w.other);
        return true;
    case TELL_EMPTY:
        w.word = (struct pep_feeds){.revocations = 0};
        tell();
        return true;
    case WAIT:
        w.now.wall_ms += l->n;
        w.now.boot_ms += l->n;
        return true;
    case UP:
    case DOWN:
        pep_feeding_link(w.feeding, l->op == UP);
        return true;
    case LOOK:
        pep_feeding_look(w.feeding);
        return true;
    case RANDOM:
        w.no_random = l->n == 0;
        return true;
    default:
        return false;
    }
}

static bool look_at(const struct line *l)
{
    struct pep_feed q;
    int64_t due = pep_feeding_deadline(w.feeding);
    switch (l->op) {
    case ASKS:
    case LOOKS:
        assert_true(due <= w.now.boot_ms);
        assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
        assert_int_equal(w.question.revocations, l->n);
        assert_memory_equal(w.question.revocations_digest, pep_revocations_digest(w.lists[l->n]),
                            PEP_SHA256_SIZE);
        assert_int_equal(w.question.look, l->op == LOOKS);
        assert_string_equal(w.question.bundle, "acme");
        return true;
    case QUIET:
        assert_false(pep_feeding_ask(w.feeding, w.now, &q));
        return true;
    case DUE:
        assert_true(l->n < 0 ? due == INT64_MAX : due == w.now.boot_ms + l->n);
        return true;
    case HAS:
        assert_int_equal(number(), l->n);
        assert_memory_equal(pep_revocations_digest(pep_feeding_fed(w.feeding)->revocations),
                            pep_revocations_digest(w.lists[l->n]), PEP_SHA256_SIZE);
        return true;
    case HAS_KEYS:
        assert_int_equal(keys(), l->n);
        return true;
    case BEHIND:
        assert_int_equal(pep_feeding_behind(w.feeding), l->n);
        return true;
    case CHANGED:
        assert_int_equal(pep_feeding_changed(w.feeding), l->n);
        assert_int_equal(pep_feeding_changed(w.feeding), 0);
        return true;
    default:
        return false;
    }
}

static int run_answer(const struct line *l)
{
    uint64_t n = (uint64_t)l->n;
    switch (l->op) {
    case STEPS_TO:
        return give_steps(w.question.revocations, n, w.steps, false);
    case FROM_ZERO:
        return give_steps(0, n, w.steps, false);
    case STRANGE:
        return give_steps(w.question.revocations, n, w.strange, false);
    case LATE:
        return give_steps(w.question.revocations, n, w.steps, true);
    case SET:
        return give_set(w.lists[n], pep_buffer_span(&w.steps[n]));
    case STRANGE_SET:
        return give_set(w.lists[n], pep_buffer_span(&w.strange[n]));
    case MIXED_SET:
        return give_set(w.lists[n - 1], pep_buffer_span(&w.steps[n]));
    case OTHER_SET:
        return give_set(w.other, pep_revocations_step(w.other));
    case SAME:
        return plain(PEP_REVOKED_SAME);
    case NONE:
        return plain(PEP_REVOKED_NONE);
    case KEYS:
        return give_keys(n, w.f.beacon_key, false);
    case STRANGE_KEYS:
        return give_keys(n, w.f.policy_key, false);
    case LATE_KEYS:
        return give_keys(n, w.f.beacon_key, true);
    default:
        fail_msg("no such line: %d", (int)l->op);
        return 0;
    }
}

static void run_story(const char *name, const struct line *lines, size_t count)
{
    begin();
    for (size_t i = 0; i < count; i++) {
        if (run_network(&lines[i]) || look_at(&lines[i]))
            continue;
        int r = run_answer(&lines[i]);
        if (r != lines[i].expect)
            fail_msg("%s, line %zu: %s", name, i + 1, pep_strerror(r));
    }
    pep_feeding_free(w.feeding);
}

#define STORY(name, ...)                                           \
    static void name(void **state)                                 \
    {                                                              \
        static const struct line lines[] = {__VA_ARGS__};          \
        (void)state;                                               \
        run_story(#name, lines, sizeof(lines) / sizeof(lines[0])); \
    }

/* ---- the list ---- */

/* clang-format off */
STORY(nothing_to_ask_for,
      {QUIET, 0, 0}, {UP, 0, 0}, {QUIET, 0, 0}, {TELL, 0, 0}, {QUIET, 0, 0}, {DUE, -1, 0}, {CHANGED, 0, 0})

STORY(steps_are_followed,
      {UP, 0, 0}, {TELL, 2, 0}, {BEHIND, 2, 0}, {ASKS, 0, 0}, {QUIET, 0, 0}, {DUE, 3000, 0}, {CHANGED, 0, 0},
      {STEPS_TO, 2, 0}, {HAS, 2, 0}, {BEHIND, 0, 0}, {CHANGED, PEP_FED_LIST, 0}, {QUIET, 0, 0}, {DUE, -1, 0},
      {TELL, 3, 0}, {ASKS, 2, 0}, {STEPS_TO, 3, 0}, {HAS, 3, 0}, {QUIET, 0, 0})

STORY(a_set_replaces_many_steps,
      {UP, 0, 0}, {TELL, 9, 0}, {ASKS, 0, 0}, {SET, 9, 0}, {HAS, 9, 0}, {CHANGED, PEP_FED_LIST, 0}, {QUIET, 0, 0})

STORY(part_of_the_way_and_on_at_once,
      {UP, 0, 0}, {TELL, 9, 0}, {ASKS, 0, 0}, {STEPS_TO, 4, 0}, {HAS, 4, 0}, {BEHIND, 5, 0}, {ASKS, 4, 0}, {STEPS_TO, 9, 0}, {HAS, 9, 0})

STORY(a_set_between,
      {UP, 0, 0}, {TELL, 3, 0}, {ASKS, 0, 0}, {STEPS_TO, 3, 0}, {TELL, 8, 0}, {ASKS, 3, 0}, {SET, 8, 0}, {HAS, 8, 0})

STORY(nothing_older_replaces_anything,
      {UP, 0, 0}, {TELL, 5, 0}, {ASKS, 0, 0}, {SET, 5, 0}, {CHANGED, PEP_FED_LIST, 0}, {TELL, 6, 0}, {ASKS, 5, 0},
      {SET, 4, PEP_EROLLBACK}, {HAS, 5, 0}, {WAIT, 500, 0}, {ASKS, 5, 0}, {SET, 5, PEP_EROLLBACK},
      {WAIT, 1000, 0}, {ASKS, 5, 0}, {FROM_ZERO, 3, PEP_EROLLBACK}, {HAS, 5, 0}, {CHANGED, 0, 0})

STORY(nothing_unsigned_is_believed,
      {UP, 0, 0}, {TELL, 5, 0}, {ASKS, 0, 0}, {STRANGE, 5, PEP_ESIGNATURE}, {HAS, 0, 0}, {QUIET, 0, 0}, {WAIT, 500, 0},
      {ASKS, 0, 0}, {STRANGE_SET, 5, PEP_ESIGNATURE}, {HAS, 0, 0}, {WAIT, 1000, 0}, {ASKS, 0, 0},
      {MIXED_SET, 5, PEP_EFORMAT}, {HAS, 0, 0}, {CHANGED, 0, 0}, {BEHIND, 5, 0})

/* Who holds a list back cannot say that there is none. */
STORY(withheld,
      {UP, 0, 0}, {TELL, 3, 0}, {ASKS, 0, 0}, {NONE, 0, 0}, {QUIET, 0, 0}, {BEHIND, 3, 0}, {WAIT, 499, 0}, {QUIET, 0, 0}, {WAIT, 1, 0}, {ASKS, 0, 0},
      {SAME, 0, 0}, {BEHIND, 3, 0}, {WAIT, 999, 0}, {QUIET, 0, 0}, {WAIT, 1, 0}, {ASKS, 0, 0}, {STEPS_TO, 3, 0}, {HAS, 3, 0})

STORY(only_answers_to_the_question,
      {UP, 0, 0}, {TELL, 2, 0}, {ASKS, 0, 0}, {LATE, 2, 0}, {HAS, 0, 0}, {STEPS_TO, 2, 0}, {HAS, 2, 0}, {STEPS_TO, 2, 0}, {HAS, 2, 0},
      {TELL, 3, 0}, {ASKS, 2, 0}, {DOWN, 0, 0}, {STEPS_TO, 3, 0}, {HAS, 2, 0}, {DUE, -1, 0}, {UP, 0, 0}, {WAIT, 500, 0}, {ASKS, 2, 0})

STORY(pauses_grow_and_news_end_them,
      {UP, 0, 0}, {TELL, 2, 0}, {ASKS, 0, 0}, {WAIT, 2999, 0}, {QUIET, 0, 0}, {WAIT, 1, 0}, {ASKS, 0, 0}, {WAIT, 3000, 0}, {ASKS, 0, 0},
      {WAIT, 3000, 0}, {ASKS, 0, 0}, {WAIT, 3000, 0}, {QUIET, 0, 0}, {DUE, 1000, 0}, {WAIT, 1000, 0}, {ASKS, 0, 0},
      {WAIT, 8000, 0}, {ASKS, 0, 0}, {WAIT, 16000, 0}, {ASKS, 0, 0}, {WAIT, 29999, 0}, {QUIET, 0, 0}, {WAIT, 1, 0}, {ASKS, 0, 0},
      {WAIT, 30000, 0}, {ASKS, 0, 0}, {SAME, 0, 0}, {TELL, 2, 0}, {QUIET, 0, 0}, {TELL, 3, 0}, {ASKS, 0, 0})

STORY(no_link_no_question,
      {TELL, 2, 0}, {QUIET, 0, 0}, {DUE, -1, 0}, {LOOK, 0, 0}, {QUIET, 0, 0}, {UP, 0, 0}, {LOOKS, 0, 0}, {DOWN, 0, 0}, {QUIET, 0, 0}, {UP, 0, 0}, {QUIET, 0, 0},
      {WAIT, 500, 0}, {ASKS, 0, 0})

STORY(without_random_bytes_nothing_is_asked,
      {UP, 0, 0}, {TELL, 2, 0}, {RANDOM, 0, 0}, {QUIET, 0, 0}, {DUE, 500, 0}, {RANDOM, 1, 0}, {QUIET, 0, 0}, {WAIT, 500, 0}, {ASKS, 0, 0},
      {STEPS_TO, 2, 0}, {RANDOM, 0, 0}, {LOOK, 0, 0}, {QUIET, 0, 0}, {DUE, -1, 0}, {LOOK, 0, 0}, {DUE, 10000, 0}, {RANDOM, 1, 0},
      {WAIT, 10000, 0}, {LOOKS, 2, 0})

/* A server that was set up again from a copy: asked once for each new word, and not believed. */
STORY(a_server_that_lost_its_past,
      {UP, 0, 0}, {TELL, 5, 0}, {ASKS, 0, 0}, {SET, 5, 0}, {TELL, 2, 0}, {BEHIND, 0, 0}, {ASKS, 5, 0}, {SET, 2, PEP_EROLLBACK},
      {HAS, 5, 0}, {WAIT, 60000, 0}, {QUIET, 0, 0}, {TELL, 2, 0}, {QUIET, 0, 0}, {TELL_OTHER, 0, 0}, {ASKS, 5, 0},
      {OTHER_SET, 0, PEP_EROLLBACK}, {HAS, 5, 0}, {TELL_EMPTY, 0, 0}, {WAIT, 60000, 0}, {QUIET, 0, 0}, {HAS, 5, 0})

STORY(the_same_number_with_other_content,
      {UP, 0, 0}, {TELL, 3, 0}, {ASKS, 0, 0}, {SET, 3, 0}, {TELL, 3, 0}, {QUIET, 0, 0}, {TELL_OTHER, 0, 0}, {BEHIND, 0, 0}, {ASKS, 3, 0},
      {OTHER_SET, 0, PEP_EROLLBACK}, {HAS, 3, 0}, {WAIT, 60000, 0}, {QUIET, 0, 0})

/* ---- keys ---- */

STORY(keys_come,
      {UP, 0, 0}, {TELL_KEYS, 7, 0}, {ASKS, 0, 0}, {KEYS, 7, 0}, {HAS_KEYS, 7, 0}, {CHANGED, PEP_FED_KEYS, 0}, {QUIET, 0, 0},
      {TELL_KEYS, 8, 0}, {ASKS, 0, 0}, {KEYS, 8, 0}, {HAS_KEYS, 8, 0})

STORY(keys_of_strangers_and_of_yesterday,
      {UP, 0, 0}, {TELL_KEYS, 7, 0}, {ASKS, 0, 0}, {STRANGE_KEYS, 7, PEP_ESIGNATURE}, {HAS_KEYS, 0, 0}, {WAIT, 500, 0},
      {ASKS, 0, 0}, {LATE_KEYS, 7, PEP_EROLLBACK}, {HAS_KEYS, 0, 0}, {CHANGED, 0, 0}, {WAIT, 1000, 0}, {ASKS, 0, 0},
      {KEYS, 7, 0}, {HAS_KEYS, 7, 0}, {STRANGE_KEYS, 8, 0}, {HAS_KEYS, 7, 0})

/* The answer may be ahead of the notices; an old word again is no reason to ask. */
STORY(keys_ahead_of_the_word,
      {UP, 0, 0}, {TELL_KEYS, 7, 0}, {ASKS, 0, 0}, {KEYS, 8, 0}, {HAS_KEYS, 8, 0}, {TELL_KEYS, 7, 0}, {QUIET, 0, 0}, {TELL_KEYS, 8, 0},
      {QUIET, 0, 0})

/* Keys are proved by the nonce: a lower number is the truth of today. */
STORY(keys_of_a_server_that_lost_its_past,
      {UP, 0, 0}, {TELL_KEYS, 9, 0}, {ASKS, 0, 0}, {KEYS, 9, 0}, {TELL_KEYS, 2, 0}, {ASKS, 0, 0}, {KEYS, 2, 0}, {HAS_KEYS, 2, 0}, {QUIET, 0, 0},
      {TELL_KEYS, 0, 0}, {QUIET, 0, 0}, {HAS_KEYS, 2, 0})

STORY(an_unknown_key_is_looked_for_every_ten_seconds,
      {UP, 0, 0}, {LOOK, 0, 0}, {LOOKS, 0, 0}, {KEYS, 3, 0}, {HAS_KEYS, 3, 0}, {QUIET, 0, 0}, {LOOK, 0, 0}, {QUIET, 0, 0}, {DUE, 10000, 0},
      {WAIT, 9999, 0}, {QUIET, 0, 0}, {WAIT, 1, 0}, {LOOKS, 0, 0}, {SAME, 0, 0}, {HAS_KEYS, 3, 0}, {QUIET, 0, 0})

STORY(a_look_does_not_hold_up_the_list,
      {UP, 0, 0}, {LOOK, 0, 0}, {LOOKS, 0, 0}, {SAME, 0, 0}, {LOOK, 0, 0}, {TELL, 1, 0}, {ASKS, 0, 0}, {STEPS_TO, 1, 0}, {HAS, 1, 0},
      {DUE, 10000, 0})

STORY(pauses_do_not_hold_up_a_look,
      {UP, 0, 0}, {TELL, 2, 0}, {ASKS, 0, 0}, {SAME, 0, 0}, {QUIET, 0, 0}, {LOOK, 0, 0}, {LOOKS, 0, 0}, {STEPS_TO, 2, 0}, {HAS, 2, 0})
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_ask_for),
        cmocka_unit_test(steps_are_followed),
        cmocka_unit_test(a_set_replaces_many_steps),
        cmocka_unit_test(part_of_the_way_and_on_at_once),
        cmocka_unit_test(a_set_between),
        cmocka_unit_test(nothing_older_replaces_anything),
        cmocka_unit_test(nothing_unsigned_is_believed),
        cmocka_unit_test(withheld),
        cmocka_unit_test(only_answers_to_the_question),
        cmocka_unit_test(pauses_grow_and_news_end_them),
        cmocka_unit_test(no_link_no_question),
        cmocka_unit_test(without_random_bytes_nothing_is_asked),
        cmocka_unit_test(a_server_that_lost_its_past),
        cmocka_unit_test(the_same_number_with_other_content),
        cmocka_unit_test(keys_come),
        cmocka_unit_test(keys_of_strangers_and_of_yesterday),
        cmocka_unit_test(keys_ahead_of_the_word),
        cmocka_unit_test(keys_of_a_server_that_lost_its_past),
        cmocka_unit_test(an_unknown_key_is_looked_for_every_ten_seconds),
        cmocka_unit_test(a_look_does_not_hold_up_the_list),
        cmocka_unit_test(pauses_do_not_hold_up_a_look),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
