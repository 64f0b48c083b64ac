const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");

/** Mocha's `spec` output, and at the end the counts as JSON in the file of the reporter option `tally`. */
class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      writeFileSync(options.reporterOptions.tally, JSON.stringify({ passed: passes, failed: failures, pending }));
    });
  }
}

module.exports = TallyReporter;
