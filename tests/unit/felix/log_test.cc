// SPDX-License-Identifier: Apache-2.0
#include "felix/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "spdlog/spdlog.h"

namespace felix {
namespace {

using ::testing::MatchesRegex;

std::string Content(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

TEST(Log, WritesOneLinePerMessageWhateverItQuotes) {
  const std::string path = ::testing::TempDir() + "felix-log-" + std::to_string(getpid());
  ASSERT_TRUE(ConfigureLog({"", "WARNING", path}).ok());
  spdlog::warn("name={}", "a\nb\x1b[31m");
  spdlog::info("too quiet to be heard");
  ASSERT_TRUE(ConfigureLog({}).ok());
  EXPECT_THAT(Content(path), MatchesRegex("....-..-.. ..:..:..\\.... \\[WARNING\\]\\[[0-9]+\\] "
                                          "name=a\\\\x0ab\\\\x1b\\[31m\n"));
  std::remove(path.c_str());
}

TEST(Log, SaysWhichFileCannotBeOpened) {
  const absl::Status status = ConfigureLog({"", "INFO", "/proc/nonexistent/felix.log"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("/proc/nonexistent/felix.log"), absl::string_view::npos);
  ASSERT_TRUE(ConfigureLog({}).ok());
}

}  // namespace
}  // namespace felix
