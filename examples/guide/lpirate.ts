/**
 * lpirate — the Guide's lazy pirate: a client that tries again, and a server that cannot be relied
 * on.
 *
 *     REQ client ── request, request again … ──▶ REP server, which dies, or hangs
 *
 * In the Guide the client learns everything from a clock. Here a server that has died is told at
 * once (EHOSTUNREACH); only of one that hangs the silence is all there is (EAGAIN), and then we
 * terminate it. The socket stays the same: `relaxed` lets it ask again, and with `correlate` a late
 * reply is not taken for the next one.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { Reply, Request, ZmqError } from "threadmq";

const REQUESTS = 6;
const RETRIES = 5;
const PATIENCE = 1000;
const ENDPOINT = "inproc://server";

if (isMainThread) await client();
else await server();

async function client(): Promise<void> {
  let thread = startServer();
  using request = new Request({ relaxed: true, correlate: true, receiveTimeout: PATIENCE });
  request.connect(ENDPOINT);

  for (let number = 1; number <= REQUESTS; number++) {
    for (let tries = 1; ; tries++) {
      await request.send([`${number}`, `${tries}`]);
      try {
        console.log(`request ${number}: ${await request.receive()}`);
        break;
      } catch (error) {
        if (!(error instanceof ZmqError) || tries === RETRIES) throw error;
        const why = error.code === "EAGAIN" ? "there is no reply" : "the server is gone";
        console.log(`request ${number}: ${why}, once more`);
        await thread.terminate();
        thread = startServer();
      }
    }
  }
  await thread.terminate();
}

function startServer(): Worker {
  return new Worker(new URL(import.meta.url));
}

async function server(): Promise<void> {
  const reply = new Reply();
  await reply.bind(ENDPOINT);
  for await (const [number, tries] of reply) {
    if (`${tries}` === "1" && `${number}` === "2") process.exit(); // It dies,
    if (`${tries}` === "1" && `${number}` === "4") for (;;); // or hangs.
    await reply.send("done");
  }
}
