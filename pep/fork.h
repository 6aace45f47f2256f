/*
 * Which process is this? A child of fork() inherits the handle's memory but not its thread. The
 * handler that runs in the child only counts; everything else happens when the host asks for it
 * (pep_after_fork) or when a call sees that the number has changed. Rejected: getpid() per call, a
 * system call on the request path; doing more in the handler, where only async-signal-safe calls
 * are allowed.
 */
#ifndef PEP_FORK_H
#define PEP_FORK_H

/* Registers the handler, once per process. Errors: ENOMEM. */
int pep_forks_watch(void);
/* Forks between the process that registered the handler and this one. */
unsigned pep_forks(void);

#endif
