import type { Codec } from "@quorate/codec";
import { type ClientFrame, invariant, type ReplicaFrame, type ServerFrame } from "@quorate/protocol";

/** A frame on its way: each call gives the receiver what it gets. */
export type Arrival<F> = () => F;

/** What happens to frames between two ends. */
export interface Wire {
  replicaFrame(frame: ReplicaFrame): Arrival<ReplicaFrame>;
  /** Of a Byzantine replica: through the codec in any case; undefined for what does not get through. */
  hostileReplicaFrame(frame: ReplicaFrame): Arrival<ReplicaFrame> | undefined;
  clientFrame(frame: ClientFrame): Arrival<ClientFrame>;
  hostileClientFrame(frame: ClientFrame): Arrival<ClientFrame> | undefined;
  serverFrame(frame: ServerFrame): Arrival<ServerFrame>;
  hostileServerFrame(frame: ServerFrame): Arrival<ServerFrame> | undefined;
}

/** Passes frames as values, frozen, so that nobody changes what others hold. Fast. */
export function createValueWire(codec: Codec): Wire {
  const pass = <F extends object>(frame: F): Arrival<F> => {
    freeze(frame);
    return () => frame;
  };
  return { replicaFrame: pass, clientFrame: pass, serverFrame: pass, ...hostileWays(codec) };
}

/** Sends every frame through the production codec, as bytes. */
export function createCodecWire(codec: Codec): Wire {
  return {
    replicaFrame: once((frame) => codec.encodeReplicaFrame(frame), codec.decodeReplicaFrame),
    clientFrame: once((frame) => codec.encodeClientFrame(frame), codec.decodeClientFrame),
    serverFrame: once((frame) => codec.encodeServerFrame(frame), codec.decodeServerFrame),
    ...hostileWays(codec),
  };
}

type HostileWays = Pick<Wire, "hostileReplicaFrame" | "hostileClientFrame" | "hostileServerFrame">;

function hostileWays(codec: Codec): HostileWays {
  return {
    hostileReplicaFrame: hostile((frame) => codec.encodeReplicaFrame(frame), codec.decodeReplicaFrame),
    hostileClientFrame: hostile((frame) => codec.encodeClientFrame(frame), codec.decodeClientFrame),
    hostileServerFrame: hostile((frame) => codec.encodeServerFrame(frame), codec.decodeServerFrame),
  };
}

type Decode<F> = (bytes: Uint8Array) => { readonly ok: true; readonly value: F } | { readonly ok: false };

/** A liar may encode what no codec of ours would; what cannot even be encoded is not sent. */
function hostile<F extends object>(
  encode: (frame: F) => Uint8Array,
  decode: Decode<F>,
): (frame: F) => Arrival<F> | undefined {
  return (frame) => {
    const decoded = decode(encode(frame));
    if (!decoded.ok) return undefined;
    const { value } = decoded;
    freeze(value);
    return () => value;
  };
}

/** Encodes a frame once, however many it goes to, and decodes it for each. */
function once<F extends object>(
  encode: (frame: F) => Uint8Array,
  decode: (bytes: Uint8Array) => ReturnType<Codec["decodeReplicaFrame"]> | { ok: true; value: F } | { ok: false },
): (frame: F) => Arrival<F> {
  const encodings = new WeakMap<F, Uint8Array>();
  return (frame) => {
    const bytes = encodings.get(frame) ?? encode(frame);
    encodings.set(frame, bytes);
    return () => {
      const decoded = decode(bytes);
      invariant(decoded.ok, "wire.does-not-decode", { decoded });
      return decoded.value as F;
    };
  };
}

/** Freezes all of a value but its bytes, which JavaScript cannot freeze. */
function freeze(value: object): void {
  if (Object.isFrozen(value) || ArrayBuffer.isView(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) freeze(part);
}
