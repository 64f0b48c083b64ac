import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

/**
 * Kills a replica and gives it a new disk, as an operator has it: nothing is left but the key in another place.
 *
 * @param backup the file that the cluster started from, where its operator still has it.
 */
export async function loseDisk(cluster: ProcessCluster, id: number, backup?: string): Promise<void> {
  const { path } = cluster.folder(id);
  const key = join(cluster.path, `key-${id}.json`);
  await cluster.kill([id]);
  copyFileSync(join(path, "key.json"), key);
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
  const args = ["init", "--genesis", cluster.genesisPath, "--key", key, "--data", path, "--lost-disk"];
  if (backup !== undefined) args.push("--backup", backup);
  const { code, stdout, stderr } = await RunningCommand.quorate(args);
  expect([code, stderr]).to.deep.equal([0, ""]);
  expect(stdout).to.match(/it starts mute, for its disk was lost/);
}
