/* SPDX-License-Identifier: MIT */

/*
 * inproc_lat - libzmq's round trip between two threads, each timed by itself.
 *
 *      inproc_lat wait|poll|request-wait|request-poll SIZE COUNT WARMUP
 *
 * Main thread PUSH -> PULL second thread, which sends the body back by another PUSH -> PULL; or, as
 * `request-`, main thread REQ -> REP second thread, which replies. One message is under way.
 * zmq_send and zmq_recv, so both directions are copied, and the number in the first four bytes is
 * written and compared as everywhere in this bench.
 *
 *      wait   zmq_recv blocks. libzmq does not spin: it looks once and sleeps in poll(2). So this
 *             is its figure for threads that sleep, and the only one its users get by itself.
 *      poll   both threads call zmq_recv with ZMQ_DONTWAIT until something is there: what a user
 *             gets who spins by hand. To be held against a library that spins for its user.
 *
 * libzmq's own perf/inproc_lat prints half a round trip, as a mean; here it is the whole, by
 * percentile. Reading the clock once a round trip is part of the figure (some 20 to 50 ns).
 */

#include <errno.h>
#include "libzmq.h"

static int is_request;
static int is_poll;
static size_t size;
static uint32_t total;
static void *context;

static void receive (void *socket, char *body)
{
  int got;
  if (!is_poll) {
    got = zmq_recv (socket, body, size, 0);
  } else {
    do
      got = zmq_recv (socket, body, size, ZMQ_DONTWAIT);
    while (got == -1 && zmq_errno () == EAGAIN);
  }
  CHECK (got == (int) size);
}

static void *echo (void *unused)
{
  void *in = open_socket (context, is_request ? ZMQ_REP : ZMQ_PULL);
  void *out = is_request ? in : open_socket (context, ZMQ_PUSH);
  CHECK (zmq_connect (in, "inproc://ping") == 0);
  if (!is_request)
    CHECK (zmq_connect (out, "inproc://pong") == 0);
  char *body = malloc (size);
  for (uint32_t i = 0; i < total; i++) {
    receive (in, body);
    CHECK (zmq_send (out, body, size, 0) == (int) size);
  }
  free (body);
  zmq_close (in);
  if (!is_request)
    zmq_close (out);
  return unused;
}

static int ascending (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

int main (int argc, char *argv[])
{
  if (argc != 5) {
    fprintf (stderr, "usage: inproc_lat [request-]wait|poll SIZE COUNT WARMUP\n");
    return 1;
  }
  is_request = strncmp (argv[1], "request-", 8) == 0;
  is_poll = strstr (argv[1], "poll") != NULL;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]);
  const uint32_t warmup = (uint32_t) atol (argv[4]);
  total = warmup + count;

  context = zmq_ctx_new ();
  void *out = open_socket (context, is_request ? ZMQ_REQ : ZMQ_PUSH);
  void *in = is_request ? out : open_socket (context, ZMQ_PULL);
  CHECK (zmq_bind (out, "inproc://ping") == 0);
  if (!is_request)
    CHECK (zmq_bind (in, "inproc://pong") == 0);
  pthread_t thread;
  CHECK (pthread_create (&thread, NULL, echo, NULL) == 0);

  double *trips = malloc (count * sizeof *trips);
  char *body = calloc (1, size);
  double began = now_us ();
  for (uint32_t i = 0; i < total; i++) {
    set_word (body, i);
    CHECK (zmq_send (out, body, size, 0) == (int) size);
    receive (in, body);
    look (word_of (body), i);
    const double now = now_us ();
    if (i >= warmup)
      trips[i - warmup] = now - began;
    began = now;
  }
  pthread_join (thread, NULL);
  free (body);
  zmq_close (out);
  if (!is_request)
    zmq_close (in);
  zmq_ctx_term (context);

  qsort (trips, count, sizeof *trips, ascending);
  printf ("{\"p50\": %.3f, \"p99\": %.3f}\n", trips[count / 2],
    trips[(uint32_t) (count * 0.99)]);
  free (trips);
  return 0;
}
