/*
 * The service manager's ear: sd_notify(3)'s datagram, without its library. Nothing happens when the
 * daemon was not started by systemd.
 */
#ifndef PDP_NOTIFY_H
#define PDP_NOTIFY_H

/* "READY=1", "STOPPING=1" and the like. */
void notify(const char *state);

#endif
