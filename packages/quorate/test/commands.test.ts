import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { Command, Option } from "commander";
import { EXIT } from "../dist/cli/exit-codes.js";
import { createProgram } from "../dist/cli/main.js";

/** The commands that run until they are stopped and print only logs: there is nothing to print as JSON. */
const PRINTS_NOTHING = ["quorate start"];

interface Leaf {
  readonly name: string;
  readonly command: Command;
  readonly help: string;
}

/** Every command that does something, with its whole help. */
function leaves(command: Command, name: string = command.name()): Leaf[] {
  if (command.commands.length > 0) return command.commands.flatMap((child) => leaves(child, `${name} ${child.name()}`));
  return [{ name, command, help: helpOf(command) }];
}

function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

function argumentsOf({ registeredArguments }: Command): { name: string; parseArg: Option["parseArg"] }[] {
  return registeredArguments.map((argument) => ({ name: `<${argument.name()}>`, parseArg: argument.parseArg }));
}

/** The lines after `Example:`, continued ones joined. */
function examplesIn(help: string): string[] {
  const [, examples = ""] = /\nExample:\n([\s\S]*?)(?:\n\n|$)/.exec(help) ?? [];
  return examples
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The words of an example as a shell would pass them on; a variable stands for a key. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/['"]/g, "").replaceAll(/\$\w+/g, "ab".repeat(32)),
  );
}

describe("every command of quorate", () => {
  const all = leaves(createProgram());

  it("is looked at here", () => {
    expect(all.map(({ name }) => name)).to.deep.equal([
      "quorate cluster",
      "quorate status",
      "quorate audit",
      "quorate kv get",
      "quorate kv put",
      "quorate kv delete",
      "quorate kv cas",
      "quorate kv incr",
      "quorate kv range",
      "quorate primary rotate",
      "quorate checkpoint",
      "quorate members list",
      "quorate members add",
      "quorate members replace",
      "quorate members remove",
      "quorate members rejoin",
      "quorate members rotate-key",
      "quorate members admins",
      "quorate members parameters",
      "quorate members admit",
      "quorate members expel",
      "quorate members approve",
      "quorate members submit",
      "quorate epochs",
      "quorate evidence list",
      "quorate evidence export",
      "quorate evidence verify",
      "quorate backup create",
      "quorate backup verify",
      "quorate log",
      "quorate verify",
      "quorate verify-data",
      "quorate keygen",
      "quorate genesis",
      "quorate init",
      "quorate start",
      "quorate join",
    ]);
  });

  for (const { name, command, help } of all) {
    it(`explains \`${name}\` with what it does and what each argument and flag means`, () => {
      expect(command.description()).to.not.equal("");
      for (const option of command.options) expect(option.description, option.flags).to.not.equal("");
      expect(help).to.contain(`Usage: ${name}`);
      expect(help, "a default that says nothing").to.not.contain("(default: [])");
    });

    it(`shows an example of \`${name}\` that its own command line takes`, async () => {
      const examples = examplesIn(help);

      expect(examples).to.have.length.greaterThan(0);
      for (const example of examples) {
        const words = wordsOf(example.replace(/^npm start( --)?/, "quorate cluster"));
        expect(example).to.satisfy((line: string) => /^(?:npx )?quorate |^npm start/.test(line));
        expect(words.slice(0, name.split(" ").length).join(" ")).to.equal(name);
        await accepts(words.slice(1));
      }
    });

    it(`takes no empty path for \`${name}\`: a variable that is not set is no name for the current folder`, () => {
      const parsers = [
        ...command.options.map(({ flags, parseArg }) => ({ name: flags, parseArg })),
        ...argumentsOf(command),
      ];
      for (const { name: flags, parseArg } of parsers.filter(({ name: flags }) => /<(?:dir|file)>/.test(flags)))
        expect(() => parseArg?.("", undefined), flags).to.throw("expected a path, this is empty");
    });

    if (!PRINTS_NOTHING.includes(name))
      it(`prints what \`${name}\` has to say as JSON, too`, () => {
        expect(command.options.map(({ long }) => long)).to.include("--json");
      });
  }

  it("shows an example of the whole and of each group of commands", () => {
    const program = createProgram();
    const groups = [program, ...program.commands.filter(({ commands }) => commands.length > 0)];

    expect(groups.map((group) => group.name())).to.deep.equal([
      "quorate",
      "kv",
      "primary",
      "members",
      "evidence",
      "backup",
    ]);
    for (const group of groups) expect(examplesIn(helpOf(group)), group.name()).to.have.length.greaterThan(0);
  });
});

describe("the exit codes of quorate", () => {
  it("are those of the operator's guide", () => {
    const guide = readFileSync(new URL("../../../docs/operators-guide.md", import.meta.url), "utf8");
    const [, section = ""] = /### Exit codes\n([\s\S]*?)\n## /.exec(guide) ?? [];
    const listed = [...section.matchAll(/^\| (\d+) \| .+ \|$/gm)].map(([, code]) => Number(code));

    expect(listed).to.deep.equal(Object.values(EXIT));
    expect(new Set(listed).size).to.equal(listed.length);
  });
});

/** Parses a command line without doing what it says; rejects with commander's complaint. */
async function accepts(words: readonly string[]): Promise<void> {
  const program = createProgram();
  let ran = 0;
  for (const { command } of leaves(program))
    command.configureOutput({ writeErr: () => undefined }).action(() => {
      ran++;
    });
  await program.parseAsync([...words], { from: "user" });
  expect(ran).to.equal(1);
}
