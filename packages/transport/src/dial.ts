import { WebSocket } from "ws";
import type { FrameSocket } from "./frame-socket.ts";
import { FOREIGN_HELLO_BYTES_MAX } from "./hello.ts";
import { InboundGauge } from "./inbound-gauge.ts";
import { formatAddress, parseAddress } from "./limits.ts";
import { type DialOptions, dialWith, type PersistentLink } from "./persistent-link.ts";
import { WsSocket, webSocketLimits } from "./ws-socket.ts";

/** Where and whom to dial. */
export interface AddressedDialOptions extends DialOptions {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
}

/**
 * Keeps a link to the replica at `address`, through restarts and partitions, until `close`.
 *
 * @throws TransportError `address.malformed`; whatever goes wrong later is told to `onDown`.
 */
export function dial(options: AddressedDialOptions): PersistentLink {
  const url = `ws://${formatAddress(parseAddress(options.address))}/`;
  const frameBytesMax = Math.max(options.limits.frameBytesMax, FOREIGN_HELLO_BYTES_MAX);
  return dialWith(() => openWebSocket(url, frameBytesMax), options);
}

function openWebSocket(url: string, frameBytesMax: number): FrameSocket {
  const settings = {
    ...webSocketLimits(frameBytesMax),
    followRedirects: false,
    // Of ws's own pings and closes; frames have the same mask.
    generateMask: (mask: Buffer) => mask.fill(0),
  };
  const webSocket = new WebSocket(url, settings);
  const socket = new WsSocket(webSocket);
  webSocket.once("upgrade", ({ socket: stream }) => {
    const gauge = new InboundGauge(stream, frameBytesMax, () => socket.onExceeded());
    socket.attachStream(stream, gauge, true);
  });
  return socket;
}
