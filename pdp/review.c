/* Verify and compile beside the server: see review.h. */
#include "review.h"

#include "pep/core/engine.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Lua nests C calls when it compiles; the default of some systems is small. */
#define STACK_SIZE (1024 * 1024)

struct review {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct review_job *waiting, *finished; /* oldest first */
    size_t count;                          /* waiting */
    bool stop;
    void (*done)(void *context);
    void *context;
};

void review_job_free(struct review_job *job)
{
    if (job == NULL)
        return;
    pep_bundle_free(job->bundle);
    free(job->bytes);
    free(job->root);
    free(job);
}

static void judge(struct review_job *job)
{
    struct pep_root *root = NULL;
    struct pep_bundle *bundle = NULL;
    struct pep_policy *policy = NULL;
    struct pep_engine_options options = {.lua_states = 1, .author = false};
    struct pep_span bytes = pep_span_of(job->bytes, job->size);
    int rc = pep_root_open(pep_span_of(job->root, job->root_size), NULL, &root, &job->err);
    if (rc == 0)
        rc = pep_bundle_open(bytes, root, job->now, &bundle, &job->err);
    if (rc == 0)
        rc = pep_policy_compile(bundle, &options, &policy, NULL, &job->err);
    pep_policy_free(policy);
    pep_root_free(root);
    if (rc != 0) {
        pep_bundle_free(bundle);
        pep_error_set(&job->err, rc, "%s", pep_strerror(rc));
        return;
    }
    job->bundle = bundle;
}

static void append(struct review_job **list, struct review_job *job)
{
    while (*list != NULL)
        list = &(*list)->next;
    job->next = NULL;
    *list = job;
}

static struct review_job *take(struct review_job **list)
{
    struct review_job *job = *list;
    if (job != NULL)
        *list = job->next;
    return job;
}

static void *run(void *context)
{
    struct review *r = context;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        struct review_job *job = take(&r->waiting);
        if (job == NULL) {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        r->count--;
        pthread_mutex_unlock(&r->lock);
        judge(job);
        pthread_mutex_lock(&r->lock);
        append(&r->finished, job);
        pthread_mutex_unlock(&r->lock);
        r->done(r->context);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int start_thread(struct review *r)
{
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return PEP_ENOMEM;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&r->thread, &attr, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc == 0 ? 0 : PEP_ENOMEM;
}

int review_start(void (*done)(void *context), void *context, struct review **ret)
{
    struct review *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return PEP_ENOMEM;
    r->done = done;
    r->context = context;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    int rc = start_thread(r);
    if (rc != 0) {
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void review_stop(struct review *r)
{
    struct review_job *job;
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    while ((job = take(&r->waiting)) != NULL || (job = take(&r->finished)) != NULL)
        review_job_free(job);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int review_put(struct review *r, struct review_job *job)
{
    int rc = PEP_ELIMIT;
    pthread_mutex_lock(&r->lock);
    if (r->count < REVIEW_WAITING) {
        append(&r->waiting, job);
        r->count++;
        pthread_cond_signal(&r->changed);
        rc = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

struct review_job *review_take(struct review *r)
{
    pthread_mutex_lock(&r->lock);
    struct review_job *job = take(&r->finished);
    pthread_mutex_unlock(&r->lock);
    return job;
}
