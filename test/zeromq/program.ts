// SPDX-License-Identifier: MIT

/**
 * A program for zeromq.js that uses all it declares. It is compiled, not run: against the
 * declarations of zeromq.js, and against ours (declarations.test.ts).
 */
import type {
  Event,
  EventOfType,
  EventSubscriber,
  EventType,
  Message,
  MessageLike,
  Readable,
  RouterConnectOptions,
  SocketOptions,
  StreamConnectOptions,
  Writable,
} from "zeromq";
import * as zmq from "zeromq";
import { capability, context, curveKeyPair, Pull, Push, version } from "zeromq";
import * as draft from "zeromq/draft";

export const constants: [string, boolean | undefined, number] = [
  version,
  capability.draft,
  context.maxSocketsLimit,
];
export const { publicKey, secretKey }: { publicKey: string; secretKey: string } = curveKeyPair();

const own: zmq.Context = new zmq.Context({ ioThreads: 2, blocky: false, maxSockets: 5 });
own.ipv6 = true;
own.threadPriority = 3;
own.threadSchedulingPolicy = 1;
own.maxMessageSize = 1e6;
// @ts-expect-error What is read only is no option.
new zmq.Context({ maxSocketsLimit: 5 });
// @ts-expect-error A context has no such option.
new zmq.Context({ linger: 5 });

const pushing: SocketOptions<Push> = { sendHighWaterMark: 5, linger: 0, context: own };
export const all: zmq.Socket[] = [
  new zmq.Pair({ sendTimeout: 5, receiveTimeout: 5, context: own }),
  new zmq.Publisher({ noDrop: true, conflate: true, invertMatching: true }),
  new zmq.Subscriber({ conflate: true, invertMatching: true, receiveBufferSize: 5 }),
  new zmq.Request({ routingId: "x", probeRouter: true, correlate: true, relaxed: true }),
  new zmq.Reply({ routingId: null }),
  new zmq.Dealer({ routingId: "x", probeRouter: true, conflate: true }),
  new zmq.Router({ mandatory: true, probeRouter: true, handover: true, routingId: "x" }),
  new zmq.Pull({ conflate: true, receiveHighWaterMark: 5 }),
  new Push(pushing),
  new zmq.XPublisher({ verbosity: "allSubs", manual: true, welcomeMessage: "x", noDrop: true }),
  new zmq.XSubscriber({ sendBufferSize: 5, multicastHops: 5 }),
  new zmq.Stream({ notify: true }),
  new draft.Server({ sendTimeout: 5 }),
  new draft.Client(),
  new draft.Radio({ linger: 0 }),
  new draft.Dish({ receiveTimeout: 5 }),
  new draft.Gather({ conflate: true }),
  new draft.Scatter({ conflate: true }),
  new draft.Datagram(),
];
// @ts-expect-error A PUSH has no such option.
new Push({ receiveTimeout: 5 });
// @ts-expect-error What is read only is no option.
new Push({ type: 5 });
// @ts-expect-error A method is no option.
new Push({ close: () => {} });
// @ts-expect-error The base is abstract.
new zmq.Socket(8);

class Extended extends zmq.Dealer {
  get useful(): number {
    return this.getInt32Option(17) + this.getUint32Option(57) + this.getInt64Option(22);
  }

  set useful(value: number) {
    this.setInt32Option(17, value);
    this.setUint32Option(57, value);
    this.setInt64Option(22, value);
    this.setUint64Option(4, this.getUint64Option(4));
    this.setBoolOption(39, this.getBoolOption(39));
    this.setStringOption(5, Buffer.from(this.getStringOption(5) ?? "x"));
    this.setStringOption(55, null);
  }

  override async send(message: MessageLike | MessageLike[]): Promise<void> {
    await super.send(message);
  }

  override async bind(address: string): Promise<void> {
    await super.bind(address);
  }

  override close(): void {
    super.close();
  }
}

class Raw extends zmq.Socket {
  constructor(options?: object) {
    super(8, options);
  }
}

/** Anything that sends, and anything that receives. */
async function forward(from: Readable, to: Writable): Promise<void> {
  for await (const message of from) await to.send(message);
}

export async function everything(): Promise<void> {
  const push = new Push();
  const pull = new Pull();
  await push.bind("inproc://x");
  push.bindSync("inproc://y");
  push.unbindSync("inproc://y");
  await push.unbind("inproc://y");
  pull.connect("inproc://x");
  pull.disconnect("inproc://x");
  const shared = new SharedArrayBuffer(1);
  const parts: MessageLike[] = ["text", 5, null, new Uint8Array(1), new ArrayBuffer(1), shared];
  await push.send(parts);
  await push.send(Buffer.from("x"));
  const [first, ...rest]: Message[] = await pull.receive();
  const text: string | undefined = first?.toString("utf8", 0, rest.length);
  for await (const [head, tail] of pull) console.log(head?.readUInt8(0), tail?.length);
  const iterator: AsyncIterator<Message[], undefined> = pull[Symbol.asyncIterator]();
  const step = await iterator.next();
  if (step.done !== true) console.log(step.value.length);
  const flags: boolean[] = [push.closed, push.readable, push.writable, push.threadSafe];
  const endpoint: string | null = push.lastEndpoint;
  const mechanism: null | "plain" | "curve" | "gssapi" = push.securityMechanism;
  const type: number = push.type;
  const same: zmq.Context = push.context;
  push.linger = push.affinity + push.rate + push.recoveryInterval + push.reconnectInterval;
  push.backlog = push.reconnectMaxInterval + push.maxMessageSize + push.tcpKeepalive;
  push.tcpAcceptFilter = push.plainUsername ?? push.plainPassword ?? push.zapDomain;
  push.curveServerKey = push.curvePublicKey ?? push.curveSecretKey;
  push.gssapiPrincipalNameType = "krb5Principal";
  push.interface = push.socksProxy;
  push.immediate = push.ipv6 && push.plainServer && push.curveServer && push.loopbackFastPath;
  push.vmciBufferSize = push.heartbeatInterval + push.heartbeatTimeToLive + push.connectTimeout;
  // @ts-expect-error A PUSH does not receive.
  push.receive();
  // @ts-expect-error A PULL does not send.
  pull.send("x");
  // @ts-expect-error What is read only cannot be set.
  push.closed = true;
  // @ts-expect-error An object is no part.
  await push.send({});
  push.close();
  console.log(text, flags, endpoint, mechanism, type, same);
  await forward(pull, new Extended());
  await forward(new Extended(), push);
  new Raw().close();
}

export async function patterns(): Promise<void> {
  const sub = new zmq.Subscriber();
  sub.subscribe();
  sub.subscribe("x", Buffer.from("y"));
  sub.unsubscribe("x");
  const router = new zmq.Router();
  const named: RouterConnectOptions = { routingId: "x" };
  router.connect("inproc://x", named);
  const stream = new zmq.Stream();
  const streaming: StreamConnectOptions = { routingId: "x" };
  stream.connect("tcp://x:1", streaming);
  const [id, data]: [Message, Message] = await stream.receive();
  await stream.send([id, data]);
  const xpub = new zmq.XPublisher();
  xpub.verbosity = null;
  // @ts-expect-error There are three of them.
  xpub.verbosity = "all";

  const server = new draft.Server();
  const [question, { routingId }] = await server.receive();
  await server.send(question, { routingId });
  // @ts-expect-error It has to be said whom it is for.
  await server.send(question);
  const client = new draft.Client();
  await client.send("x");
  // @ts-expect-error It has one part.
  await client.send(["x", "y"]);
  const [answer]: [Message] = await client.receive();
  const dish = new draft.Dish();
  dish.join("x", Buffer.from("y"));
  dish.leave("x");
  const [part, { group }] = await dish.receive();
  await new draft.Radio().send(part, { group });
  for await (const [message] of new draft.Gather()) await new draft.Scatter().send(message);
  console.log(answer?.length, group.length);
}

export async function observing(socket: zmq.Socket): Promise<void> {
  const observer: zmq.Observer = socket.events;
  const subscriber: EventSubscriber = observer.on("end", ({ type }) => console.log(type));
  subscriber.off("end", () => {}).on("bind", ({ address }) => console.log(address.length));
  observer.on("connect:retry", ({ interval, address }) => console.log(interval + 1, address));
  observer.on("accept:error", ({ error }) => console.log(error.code, error.errno + 1));
  observer.on("handshake:error:auth", ({ error: { status } }) => console.log(status === 300));
  observer.on("handshake:error:protocol", ({ error }) => {
    console.log(error.code === "ERR_ZMTP_UNSPECIFIED");
  });
  // @ts-expect-error There is no such event.
  observer.on("opened", () => {});
  const event: Event = await observer.receive();
  const type: EventType = event.type;
  if (event.type === "bind") console.log(event.address);
  const bound: EventOfType<"bind"> = { type: "bind", address: "x" };
  for await (const each of observer) console.log(each.type, type, bound, observer.closed);
  new zmq.Observer(socket).close();
}

export async function passing(): Promise<void> {
  const proxy = new zmq.Proxy(new zmq.Router(), new zmq.Dealer());
  const front: zmq.Router = proxy.frontEnd;
  const back: zmq.Dealer = proxy.backEnd;
  const run: Promise<void> = proxy.run();
  proxy.pause();
  proxy.resume();
  proxy.terminate();
  await run;
  console.log(front.mandatory, back.routingId);
}
