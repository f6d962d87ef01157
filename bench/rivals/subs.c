/* SPDX-License-Identifier: MIT */

/*
 * subs - what matching costs libzmq: one SUB of the main thread with many subscriptions, a PUB in a
 * second thread.
 *
 *      subs copy|message SIZE COUNT WARMUP SUBSCRIPTIONS
 *
 * Topics and their turn are those of topics.ts: every second publication matches. The publisher's
 * rate is of all publications, the subscriber's of those that match. As in pub.c nothing is
 * dropped, and all subscriptions lie in the pipe before the PUB binds. For that the watermarks of
 * that way are 0: libzmq would drop subscriptions above them, without a word.
 */

#include "libzmq.h"

#define TOPIC_BYTES 12
#define STRIDE 123457u

static int is_message;
static size_t size;
static uint32_t warmup;
static uint32_t total;
static uint32_t topics;
static double published_us;
static void *context;

static void set_topic (char *body, uint32_t topic)
{
  memcpy (body, "topic-", 6);
  for (int i = TOPIC_BYTES - 1; i >= 6; i--) {
    body[i] = (char) ('0' + topic % 10);
    topic /= 10;
  }
}

static void *publisher (void *unused)
{
  void *pub = open_socket (context, ZMQ_PUB);
  set_option (pub, ZMQ_XPUB_NODROP, 1);
  set_option (pub, ZMQ_RCVHWM, 0);
  CHECK (zmq_bind (pub, "inproc://subs") == 0);
  char *body = calloc (1, size);
  double began = 0;
  for (uint32_t number = 0; number < total; number++) {
    if (number == warmup)
      began = now_us ();
    set_topic (body, (uint32_t) ((uint64_t) number * STRIDE % topics));
    set_word (body + TOPIC_BYTES, number);
    send_body (pub, is_message, body, size);
  }
  published_us = now_us () - began;
  free (body);
  zmq_close (pub);
  return unused;
}

/* Every second publication, beginning with the first, arrives. */
static void receive (void *sub, uint32_t from, uint32_t to)
{
  char *body = malloc (size);
  for (uint32_t number = from; number < to; number += 2)
    look (receive_word (sub, is_message, body, size, TOPIC_BYTES), number);
  free (body);
}

int main (int argc, char *argv[])
{
  if (argc != 6) {
    fprintf (stderr, "usage: subs copy|message SIZE COUNT WARMUP SUBSCRIPTIONS\n");
    return 1;
  }
  is_message = strcmp (argv[1], "message") == 0;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]) / 2 * 2;
  warmup = (uint32_t) atol (argv[4]) / 2 * 2;
  topics = 2 * (uint32_t) atol (argv[5]);
  total = warmup + count;

  context = zmq_ctx_new ();
  void *sub = open_socket (context, ZMQ_SUB);
  set_option (sub, ZMQ_SNDHWM, 0);
  char topic[TOPIC_BYTES];
  for (uint32_t i = 0; i < topics; i += 2) {
    set_topic (topic, i);
    CHECK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, topic, sizeof topic) == 0);
  }
  CHECK (zmq_connect (sub, "inproc://subs") == 0);
  pthread_t thread;
  CHECK (pthread_create (&thread, NULL, publisher, NULL) == 0);

  receive (sub, 0, warmup);
  const double began = now_us ();
  receive (sub, warmup, total);
  const double took = now_us () - began;

  pthread_join (thread, NULL);
  zmq_close (sub);
  zmq_ctx_term (context);
  printf ("{\"rate\": %.0f, \"delivered\": %.0f}\n", count / published_us * 1e6,
    count / 2 / took * 1e6);
  return 0;
}
