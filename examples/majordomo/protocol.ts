/**
 * protocol — what clients, broker and workers say to each other (after RFC 7, the Majordomo
 * protocol).
 *
 *     REQ client ── service, body ──▶ ROUTER broker ROUTER ── who asks, body ────▶ DEALER worker
 *                ◀── status, body ───                      ◀── READY, service ───   at first
 *                                                          ◀── REPLY, who asks, body ──
 *
 * "Who asks" is the envelope of the request: all parts up to and including the empty one.
 *
 * The Guide's heartbeats are not there: in one process it is known when a thread is gone.
 */
export const CLIENTS: string = "inproc://majordomo/clients";
export const WORKERS: string = "inproc://majordomo/workers";

export const READY = "READY";
export const REPLY = "REPLY";

/** The service that every broker has: whether there are workers for another one (RFC 8). */
export const SERVICE_OF_SERVICES = "mmi.service";
export const FOUND = "200";
export const NOT_FOUND = "404";

/** Divides a message into the envelope and what is in it. */
export function open<Part extends Uint8Array>(message: Part[]): [envelope: Part[], body: Part[]] {
  const end = message.findIndex((part) => part.length === 0) + 1;
  return [message.slice(0, end), message.slice(end)];
}
