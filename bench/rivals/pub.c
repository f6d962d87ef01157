/* SPDX-License-Identifier: MIT */

/*
 * pub - libzmq's PUB in a second thread, to SUBSCRIBERS SUB sockets of the main thread.
 *
 *      pub copy|message SIZE COUNT WARMUP SUBSCRIBERS
 *
 * COUNT are publications; what is printed is deliveries a second. Nothing is dropped: by
 * ZMQ_XPUB_NODROP zmq_send waits while a subscriber's pipe is full. The watermarks are the default
 * ones. The SUB sockets have subscribed to everything, and are connected, before the PUB binds, so
 * none misses the beginning.
 *
 * The main thread waits for a batch of messages at the first SUB, and then takes as many from each
 * of the others, where by then they lie: so it needs no zmq_poll, and no call that finds nothing.
 * Bodies above 1 KiB are taken one by one: all subscribers copy the same one, which so stays in the
 * cache.
 *
 * What is not equal: by `message` a body is never copied for a subscriber; all of them look at the
 * one that the publisher has made. A receiver in JavaScript gets a copy of its own.
 */

#include "libzmq.h"

#define BATCH 256

static int is_message;
static size_t size;
static uint32_t total;
static void *context;

static void *publisher (void *unused)
{
  void *pub = open_socket (context, ZMQ_PUB);
  set_option (pub, ZMQ_XPUB_NODROP, 1);
  CHECK (zmq_bind (pub, "inproc://pub") == 0);
  char *body = calloc (1, size);
  for (uint32_t number = 0; number < total; number++) {
    set_word (body, number);
    send_body (pub, is_message, body, size);
  }
  free (body);
  zmq_close (pub);
  return unused;
}

static void receive (void **subs, int subscribers, uint32_t from, uint32_t to)
{
  char *body = malloc (size);
  const uint32_t batch = size > 1024 ? 1 : BATCH;
  for (uint32_t next = from; next < to; next += batch) {
    const uint32_t end = to - next < batch ? to : next + batch;
    for (int i = 0; i < subscribers; i++)
      for (uint32_t number = next; number < end; number++)
        look (receive_word (subs[i], is_message, body, size, 0), number);
  }
  free (body);
}

int main (int argc, char *argv[])
{
  if (argc != 6) {
    fprintf (stderr, "usage: pub copy|message SIZE COUNT WARMUP SUBSCRIBERS\n");
    return 1;
  }
  is_message = strcmp (argv[1], "message") == 0;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]);
  const uint32_t warmup = (uint32_t) atol (argv[4]);
  const int subscribers = atoi (argv[5]);
  total = warmup + count;

  context = zmq_ctx_new ();
  void **subs = malloc ((size_t) subscribers * sizeof *subs);
  for (int i = 0; i < subscribers; i++) {
    subs[i] = open_socket (context, ZMQ_SUB);
    CHECK (zmq_setsockopt (subs[i], ZMQ_SUBSCRIBE, "", 0) == 0);
    CHECK (zmq_connect (subs[i], "inproc://pub") == 0);
  }
  pthread_t thread;
  CHECK (pthread_create (&thread, NULL, publisher, NULL) == 0);

  receive (subs, subscribers, 0, warmup);
  const double began = now_us ();
  receive (subs, subscribers, warmup, total);
  const double took = now_us () - began;

  pthread_join (thread, NULL);
  for (int i = 0; i < subscribers; i++)
    zmq_close (subs[i]);
  free (subs);
  zmq_ctx_term (context);
  print_rate ((double) count * subscribers, took);
  return 0;
}
