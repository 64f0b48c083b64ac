import { clusterId, publicKey } from "@quorate/protocol";
import type { StoreIdentity } from "@quorate/storage";

/** The replica of these tests. */
export const IDENTITY: StoreIdentity = { cluster: clusterId("ab".repeat(32)), owner: publicKey("22".repeat(32)) };
