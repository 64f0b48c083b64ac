import { ADMIN_COMMAND, ADMIN_HEADER, isFromOperator } from "@quorate/server";
import { expect } from "chai";

const command = { [ADMIN_HEADER]: ADMIN_COMMAND };

describe("a command to the admin endpoint", () => {
  for (const host of ["127.0.0.1:17000", "127.0.0.1", "[::1]:17000", "localhost:17000", "replica-2.internal:17000"])
    it(`comes from the operator who asks for ${host}`, () => {
      expect(isFromOperator({ ...command, host }, "replica-2.internal")).to.equal(true);
    });

  const refused = [
    { what: "a form of any page", headers: { host: "127.0.0.1:17000", origin: "http://evil.example" } },
    { what: "a script without the header", headers: { host: "127.0.0.1:17000" } },
    { what: "a script that says where it is from", headers: { ...command, host: "localhost:1", origin: "null" } },
    { what: "a name that was made to point here", headers: { ...command, host: "evil.example:17000" } },
    { what: "nobody's name", headers: { ...command } },
    { what: "another word in the header", headers: { host: "127.0.0.1:17000", [ADMIN_HEADER]: "1" } },
  ];
  for (const { what, headers } of refused)
    it(`does not come from ${what}`, () => {
      expect(isFromOperator(headers, "127.0.0.1")).to.equal(false);
    });

  it("does not come from a name that nobody listens on", () => {
    expect(isFromOperator({ ...command, host: ":17000" }, "")).to.equal(false);
  });
});
