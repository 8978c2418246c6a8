import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework.ConcreteTest;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework.TestRunResult;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework.TestRunResultProcessor;

/** Writes a line for each test: outcome, package, class, method, reason, with tabs in between. */
public class Results implements TestRunResultProcessor {
    @Override
    public void process(TestRunResult run) {
        try (PrintWriter out = new PrintWriter(System.getProperty("results"), StandardCharsets.UTF_8)) {
            run.getSuccessfulTests().forEach(
                    test -> out.println(line("passed", test.concreteTest, "")));
            run.getFailedTests().forEach(
                    test -> out.println(line("failed", test.concreteTest, test.failureReason)));
            run.getNotPossibleTests().forEach(
                    test -> out.println(
                            line("impossible", test.concreteTest, test.testNotPossibleException)));
            run.getImpossibleTestClasses().forEach(
                    (type, why) -> out.println(line("impossible", type, "", why)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String line(String outcome, ConcreteTest test, Object why) {
        return line(outcome, test.getMethod().getDeclaringClass(), test.getMethod().getName(), why);
    }

    private static String line(String outcome, Class<?> type, String method, Object why) {
        String reason = why.toString().replaceAll("\\s+", " ");
        return String.join("\t", outcome, type.getPackageName(), type.getSimpleName(), method, reason);
    }
}
