import { type ClusterId, type Hasher, proposalsOf, type Signer, type ViewChangeComposer } from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { viewChangeDigest } from "./digests.ts";

/** What a replica composes the messages of its view changes with. */
export interface ViewChangeComposerOptions {
  readonly signer: Signer;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
}

/** Makes the messages of view changes of verified parts: nothing is left to verify in them. */
export function createViewChangeComposer({ signer, hasher, cluster }: ViewChangeComposerOptions): ViewChangeComposer {
  return {
    self: signer.self,
    viewChange: (message, checkpoint, certificates) => {
      const digest = viewChangeDigest(hasher, cluster, signer.self, message);
      return sealVerified({ digest, viewChange: { envelope: signer.sign(message), checkpoint, certificates } });
    },
    newView: (message, viewChanges, checkpoint, certificates) => {
      const { epoch, view } = message;
      const prePrepares = proposalsOf(message).map((proposal) =>
        signer.sign({ type: "pre-prepare", epoch, view, ...proposal }),
      );
      const newView = {
        envelope: signer.sign(message),
        viewChanges: viewChanges.map(({ viewChange }) => viewChange.envelope),
        checkpoint,
        certificates,
        prePrepareSignatures: prePrepares.map(({ signature }) => signature),
      };
      return sealVerified({ newView, prePrepares });
    },
  };
}
