/* SPDX-License-Identifier: MIT */

/*
 * broker - requests through libzmq's ROUTER-DEALER broker: DEALER clients in the main thread,
 * zmq_proxy in a second, REP workers in a third.
 *
 *      broker turn|poll SIZE COUNT WARMUP
 *
 * Sockets, the requests that are under way, and what is looked at, are those of requests.ts.
 *
 *      turn   each thread waits at its sockets in turn. A client has always asked, so its reply
 *             comes; the proxy's DEALER deals in turn, so the next request is the next worker's
 *      poll   each thread takes what its sockets have, and calls zmq_poll when none has anything:
 *             what a program does that knows nothing of the turns
 */

#include <errno.h>
#include "libzmq.h"

#define CLIENTS 4
#define WORKERS 4
#define WINDOW 64

static int is_poll;
static size_t size;
static uint32_t total;
static void *context;
/* Nobody asks before all workers are there: else the DEALER would begin to deal among fewer. */
static pthread_barrier_t connected;

/* A request's body, or nothing if there is none. A DEALER's has an empty part before it. */
static int receive (void *socket, int is_dealer, char *body)
{
  const int got = zmq_recv (socket, body, size, is_poll ? ZMQ_DONTWAIT : 0);
  if (got == -1 && is_poll && zmq_errno () == EAGAIN)
    return 0;
  CHECK (got == (is_dealer ? 0 : (int) size));
  if (is_dealer)
    CHECK (zmq_recv (socket, body, size, 0) == (int) size);
  return 1;
}

/* Calls `take` for every request or reply, until there have been `limit`. */
static void serve (void **sockets, int count, int is_dealer, uint32_t limit,
  void (*take) (void *socket, int index, char *body))
{
  char *body = malloc (size);
  zmq_pollitem_t items[CLIENTS > WORKERS ? CLIENTS : WORKERS];
  for (int i = 0; i < count; i++)
    items[i] = (zmq_pollitem_t) { .socket = sockets[i], .events = ZMQ_POLLIN };
  for (uint32_t done = 0; done < limit;) {
    const uint32_t before = done;
    for (int i = 0; i < count && done < limit; i++)
      while (done < limit && receive (sockets[i], is_dealer, body)) {
        take (sockets[i], i, body);
        done++;
        if (!is_poll)
          break;
      }
    if (done == before)
      CHECK (zmq_poll (items, count, -1) > 0);
  }
  free (body);
}

/* Each client's requests come to each worker in their order. */
static void reply (void *rep, int index, char *body)
{
  static uint32_t least[WORKERS][CLIENTS];
  const uint32_t number = word_of (body), client = word_of (body + 4);
  if (client >= CLIENTS || number < least[index][client]) {
    fprintf (stderr, "worker %d got request %u of client %u\n", index, number, client);
    exit (1);
  }
  least[index][client] = number + 1;
  CHECK (zmq_send (rep, body, size, 0) == (int) size);
}

static void *work (void *unused)
{
  void *reps[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    reps[i] = open_socket (context, ZMQ_REP);
    CHECK (zmq_connect (reps[i], "inproc://back") == 0);
  }
  pthread_barrier_wait (&connected);
  serve (reps, WORKERS, 0, total, reply);
  for (int i = 0; i < WORKERS; i++)
    zmq_close (reps[i]);
  return unused;
}

static uint32_t asked[CLIENTS];
static uint32_t asked_all;
static char *answered[CLIENTS];
static char *request;

static void ask (void *dealer, int index)
{
  if (asked_all == total)
    return;
  set_word (request, asked[index]++);
  set_word (request + 4, (uint32_t) index);
  asked_all++;
  CHECK (zmq_send (dealer, "", 0, ZMQ_SNDMORE) == 0);
  CHECK (zmq_send (dealer, request, size, 0) == (int) size);
}

/* Replies come back once each, to who has asked, in any order. */
static void got_reply (void *dealer, int index, char *body)
{
  const uint32_t number = word_of (body);
  if (word_of (body + 4) != (uint32_t) index || number >= asked[index] || answered[index][number]) {
    fprintf (stderr, "client %d got reply %u of client %u\n", index, number, word_of (body + 4));
    exit (1);
  }
  answered[index][number] = 1;
  ask (dealer, index);
}

int main (int argc, char *argv[])
{
  if (argc != 5) {
    fprintf (stderr, "usage: broker turn|poll SIZE COUNT WARMUP\n");
    return 1;
  }
  is_poll = strcmp (argv[1], "poll") == 0;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]) / CLIENTS * CLIENTS; /* Whole turns. */
  const uint32_t warmup = (uint32_t) atol (argv[4]) / CLIENTS * CLIENTS;
  total = warmup + count;

  context = zmq_ctx_new ();
  struct proxy proxy;
  start_proxy (&proxy, context, ZMQ_ROUTER, ZMQ_DEALER);
  pthread_t thread;
  CHECK (pthread_barrier_init (&connected, NULL, 2) == 0);
  CHECK (pthread_create (&thread, NULL, work, NULL) == 0);
  pthread_barrier_wait (&connected);
  request = calloc (1, size);
  void *dealers[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) {
    answered[i] = calloc (total, 1);
    dealers[i] = open_socket (context, ZMQ_DEALER);
    CHECK (zmq_connect (dealers[i], "inproc://front") == 0);
  }
  for (int asks = 0; asks < WINDOW; asks++)
    for (int i = 0; i < CLIENTS; i++)
      ask (dealers[i], i);

  serve (dealers, CLIENTS, 1, warmup, got_reply);
  const double began = now_us ();
  serve (dealers, CLIENTS, 1, count, got_reply);
  const double took = now_us () - began;

  pthread_join (thread, NULL);
  for (int i = 0; i < CLIENTS; i++) {
    zmq_close (dealers[i]);
    free (answered[i]);
  }
  free (request);
  end_proxy (&proxy, context);
  zmq_ctx_term (context);
  print_rate (count, took);
  return 0;
}
