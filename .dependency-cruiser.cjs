/**
 * The import rules of the workspace. A package imports only from floors below its own; packages of one floor never
 * import each other (docs/architecture.md). The table is the whole rule: everything below it is derived.
 */
const { builtinModules } = require("node:module");

/** Every package with its floor and, where it may not import all of the floors below, what it may import. */
const PACKAGES = {
  protocol: { floor: 0, imports: [] },
  crypto: { floor: 1, imports: ["protocol"] },
  codec: { floor: 1, imports: ["protocol"] },
  "state-tree": { floor: 1, imports: ["protocol"] },
  storage: { floor: 1, imports: ["protocol"] },
  transport: { floor: 1, imports: ["protocol"] },
  "pbft-core": { floor: 2, imports: ["protocol"] },
  "view-change": { floor: 2, imports: ["protocol"] },
  checkpoint: { floor: 2, imports: ["protocol"] },
  "state-transfer": { floor: 2, imports: ["protocol", "state-tree"] },
  reconfiguration: { floor: 2, imports: ["protocol", "crypto", "state-tree"] },
  "client-proxy": { floor: 3, imports: ["protocol", "reconfiguration"] },
  "state-machine": { floor: 3, imports: ["protocol", "crypto", "state-tree", "reconfiguration"] },
  replica: { floor: 3, imports: ["protocol", "pbft-core", "view-change", "checkpoint", "state-transfer"] },
  kv: { floor: 4, imports: ["protocol", "state-machine"] },
  "typed-service": { floor: 4, imports: ["protocol", "state-machine"] },
  server: { floor: 5 },
  quorate: { floor: 6 },
};

/** Packages that are pure functions: no Node, no input or output, and of others' packages only what is named here. */
const SANS_IO = {
  protocol: [],
  "state-tree": [],
  codec: ["cbor-x"],
  "pbft-core": [],
  "view-change": [],
  checkpoint: [],
  "state-transfer": [],
  reconfiguration: [],
  "client-proxy": [],
  "state-machine": [],
  replica: [],
  kv: [],
  "typed-service": [],
};

/** Modules that a browser loads: nothing they reach may need Node. */
const BROWSER_FACES = [
  "packages/crypto/src/index.ts",
  "packages/client-proxy/src/index.ts",
  "packages/state-tree/src/index.ts",
  "packages/state-machine/src/index.ts",
  "packages/transport/src/client.ts",
  "packages/quorate/src/browser.ts",
];
const NODE_LIBRARIES = ["ws", "lmdb", "pino", "pino-pretty", "sodium-native", "commander", "cli-table3"];

const names = Object.keys(PACKAGES);
const oneOf = (list) => `(${list.join("|")})`;
const escaped = (path) => path.replaceAll(".", "\\.");
const library = (list) => `(^|/)node_modules/${oneOf(list)}/`;
const coreModule = `^(node:)?${oneOf(builtinModules)}$`;
const npmTypes = ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-bundled", "npm-no-pkg", "npm-unknown"];

const below = (floor) => names.filter((name) => PACKAGES[name].floor < floor);
const allowedFor = (name) => PACKAGES[name].imports ?? below(PACKAGES[name].floor);

for (const name of names)
  for (const imported of allowedFor(name))
    if (!below(PACKAGES[name].floor).includes(imported))
      throw new Error(`${imported} is not on a floor below ${name}: the table of import rules contradicts itself`);

const othersThan = (allowed) => names.filter((name) => !allowed.includes(name));

/** One rule for a package's code, one for its tests: a test may use any floor below, but never a sibling. */
const floorRules = names.flatMap((name) => [
  {
    name: `floors-${name}`,
    comment: `${name} imports only ${allowedFor(name).join(", ") || "nothing of ours"}: see docs/architecture.md.`,
    severity: "error",
    from: { path: `^packages/${name}/(src|bin)/` },
    to: { path: `^(packages/${oneOf(othersThan([name, ...allowedFor(name)]))}|test-harness|benchmarks)/` },
  },
  {
    name: `floors-${name}-tests`,
    comment: `Tests of ${name} use only floors below it; a test that joins more belongs in test-harness.`,
    severity: "error",
    from: { path: `^packages/${name}/test/` },
    to: { path: `^(packages/${oneOf(othersThan([name, ...below(PACKAGES[name].floor)]))}|test-harness|benchmarks)/` },
  },
]);

const sansIoRules = Object.entries(SANS_IO).map(([name, libraries]) => ({
  name: `sans-io-${name}`,
  comment: `${name} is a pure function: what it needs from others' packages is ${libraries.join(", ") || "nothing"}.`,
  severity: "error",
  from: { path: `^packages/${name}/src/` },
  to: {
    dependencyTypes: npmTypes,
    path: "(^|/)node_modules/",
    ...(libraries.length > 0 ? { pathNot: library(libraries) } : {}),
  },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...floorRules,
    ...sansIoRules,
    {
      name: "every-package-has-a-floor",
      comment: "A package that is not in the table of .dependency-cruiser.cjs has no floor to stand on.",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/${oneOf(names)}/` },
      to: {},
    },
    {
      name: "sans-io-no-core-modules",
      comment: "Clocks, timers, sockets and files are the runner's; the core takes events and returns effects.",
      severity: "error",
      from: { path: `^packages/${oneOf(Object.keys(SANS_IO))}/src/` },
      to: { path: coreModule, dependencyTypes: ["core"] },
    },
    {
      name: "browser-safe",
      comment: "This module is loaded by browsers, and what it imports reaches Node.",
      severity: "error",
      from: { path: `^${oneOf(BROWSER_FACES.map(escaped))}$` },
      to: { path: `${coreModule}|${library(NODE_LIBRARIES)}`, reachable: true },
    },
    {
      name: "verification-only-by-crypto",
      comment: "Only crypto may say that a value is verified: through this door nothing unverified can pass.",
      severity: "error",
      from: { path: "^(packages|test-harness|benchmarks)/", pathNot: "^packages/(protocol|crypto)/|/test/" },
      to: { path: "^packages/protocol/(src|dist)/verification\\." },
    },
    {
      name: "only-the-face",
      comment: "Another package is imported by its name and a declared entry point, never by a path into its folder.",
      severity: "error",
      from: { path: "^((?:packages/[^/]+)|test-harness|benchmarks)/" },
      to: {
        path: "^(packages/[^/]+|test-harness|benchmarks)/",
        // Plain Node that runs before anything is installed has no names to import by.
        pathNot: ["^$1/", "^test-harness/bin/prepare\\.js$"],
        dependencyTypes: ["local"],
        dependencyTypesNot: ["aliased", "npm"],
      },
    },
    {
      name: "no-circular",
      comment: "Modules form no circle but of types, which vanish when compiled.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "declared",
      comment: "Code imports only what the package.json of its own package declares as a dependency.",
      severity: "error",
      from: { path: "^packages/[^/]+/(src|bin)/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "resolvable",
      comment: "No such module, or an entry point that the other package does not declare.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(packages/[^/]+|test-harness|benchmarks)/(dist|dist-test|coverage)/" },
    combinedDependencies: false,
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["source", "import", "node", "default", "types"],
      extensions: [".ts", ".js", ".cjs", ".mjs", ".json", ".d.ts"],
    },
  },
};
