import {
  type AnyOperation,
  type DefinedService,
  decodeValue,
  encodeCall,
  type ServiceCalls,
  type ServiceValue,
} from "@quorate/typed-service";
import type { CallOptions } from "./call-options.ts";
import { OperationFailedError, readAs } from "./errors.ts";
import type { OperationCalls, OperationOutcome } from "./operation-calls.ts";

/** Any service that `defineService` made. */
export type AnyDefinedService = DefinedService<Readonly<Record<string, AnyOperation>>>;

const decoder = new TextDecoder();

/**
 * The operations of a service, each a method by its name: only the type is needed of the service, for the replicas have the rest. Each
 * rejects as `execute` does, with an `OperationFailedError` when the service refused it, and with a `ServiceValueError` for an argument that
 * cannot be sent; what a `retry()` gives is what the method gives.
 */
export function serviceCalls<S extends AnyDefinedService>(
  client: Pick<OperationCalls, "execute">,
  options: CallOptions,
): ServiceCalls<S> {
  const call = async (name: string, values: readonly ServiceValue[]): Promise<ServiceValue> =>
    readAs(client.execute(encodeCall(name, values), options), resultOf);
  const calls = new Proxy(Object.freeze({}), {
    // An object with a method `then` is taken for a promise by whoever awaits it.
    get: (_, name) =>
      typeof name === "string" && name !== "then"
        ? (...values: readonly ServiceValue[]) => call(name, values)
        : undefined,
  });
  return calls as ServiceCalls<S>;
}

function resultOf({ result }: OperationOutcome): ServiceValue {
  if (result.status === "ok") return decodeValue(result.value);
  throw new OperationFailedError(decoder.decode(result.value));
}
