// SPDX-License-Identifier: Apache-2.0
#include "felix/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace felix {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ConfigFile, MergesAllSections) {
  const ConfigFile file =
      ParseConfigFile("[global]\nLogPrefix = a\n[other]\nInterfacePrefix=tap\n");
  EXPECT_THAT(file.values, ElementsAre(Pair("InterfacePrefix", "tap"), Pair("LogPrefix", "a")));
  EXPECT_THAT(file.warnings, IsEmpty());
}

TEST(ConfigFile, IgnoresCommentsBlankLinesCarriageReturnsAndAByteOrderMark) {
  const ConfigFile file = ParseConfigFile(
      "\xef\xbb\xbf# first\r\n\r\n  ; second\r\n  LogPrefix =  a b ; a tail\r\nX=1 # tail\r\n");
  EXPECT_THAT(file.values, ElementsAre(Pair("LogPrefix", "a b"), Pair("X", "1")));
  EXPECT_THAT(file.warnings, IsEmpty());
}

TEST(ConfigFile, KeepsCommentSignsInsideWords) {
  EXPECT_THAT(ParseConfigFile("Datastore = file:/a#b;c").values,
              ElementsAre(Pair("Datastore", "file:/a#b;c")));
}

TEST(ConfigFile, KeepsFurtherEqualSignsAndDropsQuotes) {
  const ConfigFile file = ParseConfigFile("A = b=c\nB = \"d e\"\nC = 'f'\nD = \"\nE=\n");
  EXPECT_THAT(file.values, ElementsAre(Pair("A", "b=c"), Pair("B", "d e"), Pair("C", "f"),
                                       Pair("D", "\""), Pair("E", "")));
}

TEST(ConfigFile, WarnsOfDuplicatesInAnyCaseAndTakesTheLast) {
  const ConfigFile file = ParseConfigFile("LogPrefix = a\nlogprefix = b\n");
  EXPECT_THAT(file.values, ElementsAre(Pair("logprefix", "b")));
  EXPECT_THAT(file.warnings, ElementsAre(HasSubstr("line 2: logprefix is set again")));
}

TEST(ConfigFile, WarnsOfLinesThatSayNothing) {
  const ConfigFile file = ParseConfigFile("LogPrefix\n= x\nA = 1\n");
  EXPECT_THAT(file.values, ElementsAre(Pair("A", "1")));
  EXPECT_THAT(file.warnings, ElementsAre("line 1: not of the form Name = value",
                                         "line 2: not of the form Name = value"));
}

TEST(ConfigFile, TellsAMissingFileFromAnUnusableOne) {
  EXPECT_EQ(ReadConfigFile("/nonexistent/felix.cfg").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadConfigFile("/tmp").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConfigFile, IsReadFromDisk) {
  const std::string path = ::testing::TempDir() + "felix-config-" + std::to_string(getpid());
  std::ofstream(path) << "[global]\nLogPrefix = disk\n";
  const absl::StatusOr<ConfigFile> file = ReadConfigFile(path);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->values, ElementsAre(Pair("LogPrefix", "disk")));
  std::ofstream(path) << std::string(2 << 20, '#');
  EXPECT_EQ(ReadConfigFile(path).status().code(), absl::StatusCode::kInvalidArgument);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace felix
