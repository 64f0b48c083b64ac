import { utf8Text } from "@quorate/protocol";
import { type ExecutionContext, Refusal, type Service, type StateStore } from "@quorate/state-machine";
import type { OptionalParameter, Parameter, ParameterType } from "./parameters.ts";
import { ServiceState } from "./service-state.ts";
import { decodeValue, encodeValue, type ServiceValue } from "./service-value.ts";

/** What an operation works with. */
export interface OperationScope {
  readonly state: ServiceState;
  /** Its place in the order, the agreed time, who asks. */
  readonly context: ExecutionContext;
}

/** What an operation is called with. Parameters at the end that are optional may be left out. */
export type Arguments<P extends readonly Parameter<unknown>[]> = P extends readonly [
  ...infer F extends readonly Parameter<unknown>[],
  OptionalParameter<infer T>,
]
  ? [...Arguments<F>, T?]
  : { -readonly [K in keyof P]: ParameterType<P[K]> };

/** One operation of a service, with the types of its arguments and of its result. */
export interface Operation<A extends readonly unknown[], R> {
  readonly parameters: readonly Parameter<unknown>[];
  readonly run: (scope: OperationScope, values: readonly ServiceValue[]) => ServiceValue;
  /** Of the type only: never there. */
  readonly type?: (...values: A) => R;
}

/** Of an operation that returns nothing; its caller gets undefined. */
export type Nothing = ReturnType<() => void>;

/** Whatever its types. */
export type AnyOperation = Operation<never, unknown>;

/**
 * An operation: what it takes, and what it does. It is a function of the state, the context and its arguments alone, and ends before it
 * returns: no clock, randomness, I/O or promise. To refuse, throw a `Refusal`: nothing of the operation remains then.
 */
export function operation<const P extends readonly Parameter<unknown>[], R extends ServiceValue | Nothing>(
  parameters: P,
  run: (scope: OperationScope, ...values: Arguments<P>) => R,
): Operation<Arguments<P>, R> {
  return {
    parameters,
    run: (scope, values) => run(scope, ...(values as unknown as Arguments<P>)) as ServiceValue,
  };
}

/** A service of typed operations. Its type is what a client needs to call it: `client.as<typeof service>()`. */
export interface DefinedService<O extends Readonly<Record<string, AnyOperation>>> extends Service {
  readonly operations: O;
}

/** The operations of a service as a client calls them. */
export type ServiceCalls<S extends DefinedService<Readonly<Record<string, AnyOperation>>>> = {
  readonly [K in keyof S["operations"]]: S["operations"][K] extends Operation<infer A, infer R>
    ? (...values: A) => Promise<R>
    : never;
};

/** What else a service may do, see `Service`. */
export type ServiceOptions = Pick<Service, "onMembership" | "readable">;

/**
 * A service from its operations: what replicas run, and, by its type, what clients call.
 *
 * @throws TypeError for a name that no operation can have: `then`, by which JavaScript knows promises.
 *
 * @example
 * ```ts
 * export const service = defineService({
 *   increment: operation([text, integer], ({ state }, name, by) => {
 *     const sum = (state.get<number>(name) ?? 0) + by;
 *     state.set(name, sum);
 *     return sum;
 *   }),
 * });
 * ```
 */
export function defineService<const O extends Readonly<Record<string, AnyOperation>>>(
  operations: O,
  options: ServiceOptions = {},
): DefinedService<O> {
  if (Object.hasOwn(operations, "then"))
    throw new TypeError("an operation is named `then`: expected another name, by this one JavaScript knows promises");
  return {
    ...options,
    operations,
    execute: (bytes, state, context) => encodeValue(execute(operations, bytes, state, context)),
  };
}

function execute(
  operations: Readonly<Record<string, AnyOperation>>,
  bytes: Uint8Array,
  state: StateStore,
  context: ExecutionContext,
): ServiceValue {
  const call = decodeValue(bytes);
  if (!Array.isArray(call)) throw new Refusal("expected an operation: a list of its name and its arguments");
  const [name, ...values]: readonly ServiceValue[] = call;
  const known = typeof name === "string" && Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (known === undefined || typeof name !== "string")
    throw new Refusal(`expected one of the operations ${Object.keys(operations).join(", ")}; got ${shown(name)}`);
  const { parameters } = known;
  if (values.length > parameters.length)
    throw new Refusal(`${name} takes ${parameters.length} arguments, got ${values.length}`);
  for (const [i, { expected, accepts }] of parameters.entries())
    if (!accepts(values[i]))
      throw new Refusal(`argument ${i + 1} of ${name} is ${shown(values[i])}, expected ${expected}`);
  return known.run({ state: new ServiceState(state), context }, values);
}

/** Of what is shown of a value in a message. */
const SHOWN_MAX = 64;

function shown(value: ServiceValue): string {
  const text = utf8Text(encodeValue(value));
  return text.length > SHOWN_MAX ? `${[...text].slice(0, SHOWN_MAX).join("")}…` : text;
}

/**
 * A call as the bytes of an operation.
 *
 * @throws ServiceValueError for an argument that is no value.
 */
export function encodeCall(name: string, values: readonly ServiceValue[]): Uint8Array {
  return encodeValue([name, ...values]);
}
