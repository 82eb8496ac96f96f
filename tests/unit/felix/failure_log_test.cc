// SPDX-License-Identifier: Apache-2.0
#include "felix/failure_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <string>

#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ApplyReport Failed(const std::string& reason) {
  ApplyReport report;
  report.failures.push_back({"write the ipv4 filter table", absl::InternalError(reason)});
  return report;
}

ApplyReport LockedOut() {
  ApplyReport report;
  report.failures.push_back(
      {"write the ipv4 filter table", absl::UnavailableError("held by process 4711 (flock)")});
  report.locked_out = 1;
  return report;
}

class FailureLogTest : public ::testing::Test {
 protected:
  FailureLogTest() {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text));
    logger->set_pattern("%l: %v");
    spdlog::set_default_logger(logger);
  }
  ~FailureLogTest() override {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("silent"));
  }
  // What hearing the report made it say.
  std::string Said(const ApplyReport& report) {
    text.str("");
    log.Hear(report);
    return text.str();
  }

  std::ostringstream text;
  testing::ManualClock clock;
  FailureLog log{clock};
};

TEST_F(FailureLogTest, SaysAFailureOnceAndThenOnceAMinute) {
  EXPECT_EQ(Said(Failed("out of memory")),
            "error: cannot write the ipv4 filter table: out of memory\n");
  for (int i = 0; i < 59; ++i) {
    clock.Advance(1s);
    EXPECT_THAT(Said(Failed("out of memory")), IsEmpty());
  }
  clock.Advance(1s);
  EXPECT_THAT(Said(Failed("out of memory")), HasSubstr("out of memory"));
}

TEST_F(FailureLogTest, SaysADifferentFailureAtOnce) {
  Said(Failed("out of memory"));
  EXPECT_THAT(Said(Failed("too large")), HasSubstr("too large"));
}

TEST_F(FailureLogTest, SaysThatItIsOverAndBeginsAnew) {
  EXPECT_THAT(Said({}), IsEmpty());
  Said(Failed("out of memory"));
  EXPECT_THAT(Said({}), HasSubstr("works again"));
  EXPECT_THAT(Said({}), IsEmpty());
  EXPECT_THAT(Said(Failed("out of memory")), HasSubstr("out of memory"));
}

TEST_F(FailureLogTest, NamesTheHolderOfALockAfterTenSeconds) {
  EXPECT_THAT(Said(LockedOut()), IsEmpty());
  clock.Advance(9s);
  EXPECT_THAT(Said(LockedOut()), IsEmpty());
  clock.Advance(1s);
  EXPECT_THAT(Said(LockedOut()), HasSubstr("waiting for 10 s"));
  clock.Advance(59s);
  EXPECT_THAT(Said(LockedOut()), IsEmpty());
  clock.Advance(1s);
  EXPECT_THAT(Said(LockedOut()), HasSubstr("process 4711"));
}

TEST_F(FailureLogTest, CountsTheWaitForALockAnewEachTime) {
  Said(LockedOut());
  clock.Advance(9s);
  Said({});
  Said(LockedOut());
  clock.Advance(9s);
  EXPECT_THAT(Said(LockedOut()), IsEmpty());
}

TEST(Hints, FitTheKindOfError) {
  EXPECT_THAT(HintFor(absl::PermissionDeniedError("x")), HasSubstr("CAP_NET_ADMIN"));
  EXPECT_THAT(HintFor(absl::FailedPreconditionError("x")), HasSubstr("felix check"));
  EXPECT_THAT(HintFor(absl::InternalError("x")), IsEmpty());
}

}  // namespace
}  // namespace felix
