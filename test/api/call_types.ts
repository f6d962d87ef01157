// SPDX-License-Identifier: MIT

/**
 * call_types — what the compiler says of the options of a call: where they say whom a message is
 * for, they are to be given. Nothing runs, as in codec_types.ts.
 */
import {
  Client,
  Dealer,
  type MessageLike,
  type Peer,
  type Push,
  type Radio,
  type Sends,
  type Server,
} from "threadmq";
import { toWritable } from "threadmq/node-streams";

export function calls(server: Server, peer: Peer, radio: Radio, push: Push): void {
  // @ts-expect-error Whom is it for?
  server.send("text");
  // @ts-expect-error Likewise.
  peer.sendSync("text");
  // @ts-expect-error Of which group is it?
  radio.trySend("text");
  // @ts-expect-error Likewise.
  radio.sendMany(["text"]);
  // @ts-expect-error There is no such option.
  push.send("text", { group: "news" });
  server.send("text", { routingId: 3 });
  peer.trySend("text", { routingId: 3 });
  radio.sendSync("text", { group: "news", timeout: 5 });
  radio.sendMany(["text"], { group: "news", signal: AbortSignal.timeout(5) });
  push.send("text");
  push.sendMany(["text"], { timeout: 5 });
  const sending: Sends<MessageLike>[] = [push, new Dealer(), new Client()];
  for (const each of sending) each.send("text");
  for (const each of [server, peer, radio, push]) toWritable(each);
}
