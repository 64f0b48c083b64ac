const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");

/** Mocha's `spec` output, and at the end the counts, with the titles of what was skipped, as JSON in the file of the reporter option `tally`. */
class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on(Mocha.Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test.fullTitle()));
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      writeFileSync(options.reporterOptions.tally, JSON.stringify({ passed: passes, failed: failures, skipped }));
    });
  }
}

module.exports = TallyReporter;
