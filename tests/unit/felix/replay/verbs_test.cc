// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidjson/document.h"

#include "felix/replay/bisect.h"
#include "felix/replay/command_line.h"
#include "felix/replay/convert.h"
#include "felix/replay/explain.h"
#include "felix/replay/info.h"
#include "felix/replay/lint.h"
#include "felix/replay/manual.h"
#include "felix/replay/matrix.h"
#include "felix/replay/plan.h"
#include "felix/replay/run.h"
#include "felix/replay/selector_check.h"
#include "tests/unit/felix/replay/replay_input.h"

namespace felix::replay {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

rapidjson::Document Parse(const std::string& text) {
  rapidjson::Document document;
  document.Parse(text.c_str());
  EXPECT_FALSE(document.HasParseError()) << text;
  return document;
}

FlowRequest To(const std::string& from, const std::string& to, const std::string& port) {
  FlowRequest request;
  request.from = from;
  request.to = to;
  request.port = port;
  return request;
}

TEST_F(ReplayVerbTest, ExplainNamesTheRuleThatDecidesAndTheKernelRuleThatItBecame) {
  const Cluster cluster = Read();
  const Judge judge = JudgeOf(cluster);
  const auto answer = Explain(judge, To("shop/web", "db", "5432"), Output::kText);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, kDone);
  EXPECT_THAT(answer->text,
              AllOf(HasSubstr("ALLOWED: shop/web 10.65.0.1 -> shop/db 10.65.0.2 tcp/5432"),
                    HasSubstr("egress from shop/web (node-1): allowed, profile/open egress[0]"),
                    HasSubstr("ingress to shop/db (node-2): allowed, gnp/db ingress[1]"),
                    HasSubstr("source 10.65.0.1 is not selected by app == \"lone\""),
                    HasSubstr("kernel -A cali-pi-gnp/db -p tcp")));
}

TEST_F(ReplayVerbTest, ExplainSaysWhatEndsATierAndJudgesAddressesOfNobody) {
  const Cluster cluster = Read();
  const Judge judge = JudgeOf(cluster);
  const auto answer = Explain(judge, To("192.0.2.1", "10.65.0.2", "5432"), Output::kJson);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, kDiffers);
  const rapidjson::Document json = Parse(answer->text);
  EXPECT_STREQ(json["schema"].GetString(), "felix-replay/explain/1");
  EXPECT_FALSE(json["allowed"].GetBool());
  EXPECT_STREQ(json["sides"][1]["reason"].GetString(), "end of tier default");
  EXPECT_STREQ(json["sides"][1]["host"].GetString(), "node-2");
}

TEST_F(ReplayVerbTest, ExplainNamesTheCandidatesOfAnAmbiguousName) {
  const Cluster cluster = Read();
  const Judge judge = JudgeOf(cluster);
  const auto answer = Explain(judge, To("shop", "db", "80"), Output::kText);
  EXPECT_THAT(std::string(answer.status().message()),
              AllOf(HasSubstr("2 workloads are called 'shop'"), HasSubstr("cni/shop/web/eth0")));
  EXPECT_THAT(std::string(Explain(judge, To("we", "db", "80"), Output::kText).status().message()),
              HasSubstr("no workload is called 'we'"));
}

TEST_F(ReplayVerbTest, MatrixAndWhoCanAgree) {
  const Cluster cluster = Read();
  const Judge judge = JudgeOf(cluster);
  const auto matrix = ShowMatrix(judge, "", To("", "", "5432"), Output::kJson);
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  const rapidjson::Document json = Parse(matrix->text);
  ASSERT_EQ(json["rows"].Size(), 3U);
  EXPECT_STREQ(json["workloads"][1].GetString(), "node-2/cni/lab/lone/eth0");
  EXPECT_STREQ(json["rows"][0].GetString(), "###");
  EXPECT_STREQ(json["rows"][1].GetString(), "##.");
  EXPECT_STREQ(json["rows"][2].GetString(), "##.") << "the database itself is no web server";
  const auto html = ShowMatrix(judge, "", To("", "", "5432"), Output::kHtml);
  EXPECT_THAT(html->text, AllOf(HasSubstr("data-allowed=\"7\" data-denied=\"2\""),
                                HasSubstr("3 workloads, 7 pairs allowed"),
                                HasSubstr(">shop/db (node-2)</text>"), Not(HasSubstr("<script"))));
  const auto who = WhoCan(judge, To("", "db", "5432"), Output::kText);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->text, "shop/web (node-1)\n1 of 3 workloads\n");
}

TEST_F(ReplayVerbTest, AnswersTellThatHostEndpointsWereNotAsked) {
  directory_.WriteInPlace("host.yaml", R"(apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: eth0}
spec: {node: node-1, interfaceName: eth0}
)");
  const Cluster without = Read();
  const Cluster with = Read({"shop.yaml", "host.yaml"});
  const auto texts = [](const Cluster& cluster) {
    const Judge judge = JudgeOf(cluster);
    return std::vector{
        Explain(judge, To("web", "db", "5432"), Output::kText)->text,
        ShowMatrix(judge, "", To("", "", "5432"), Output::kText)->text,
        WhoCan(judge, To("", "db", "5432"), Output::kText)->text,
        PlanChange(cluster, cluster, "node-2", Output::kText)->text,
    };
  };
  const std::string note(kHostEndpointsNote);
  EXPECT_THAT(texts(without), Each(Not(HasSubstr(note))));
  EXPECT_THAT(texts(with), Each(HasSubstr(note)));
  const Judge judge = JudgeOf(with);
  EXPECT_EQ(WhoCan(judge, To("", "db", "5432"), Output::kJson)->text,
            "{\"schema\":\"felix-replay/who-can/1\",\"allowed\":[\"node-1/cni/shop/web/eth0\"],"
            "\"denied\":2,\"host_endpoints_not_asked\":true}\n");
  EXPECT_THAT(ShowMatrix(judge, "app == 'lone'", To("", "", "5432"), Output::kText)->text,
              Not(HasSubstr(note)))
      << "of another host";
}

TEST_F(ReplayVerbTest, InfoCountsByKindAndHost) {
  directory_.WriteInPlace("bad.yaml",
                          "kind: Tier\napiVersion: projectcalico.org/v3\n"
                          "metadata: {name: x}\nspec: {order: no}\n");
  const auto answer = Info(Request({"shop.yaml", "bad.yaml"}), Output::kJson);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const rapidjson::Document json = Parse(answer->text);
  EXPECT_EQ(json["objects"]["workload endpoints"].GetInt(), 3);
  EXPECT_EQ(json["objects"]["policies"].GetInt(), 1);
  EXPECT_EQ(json["endpoints_by_host"]["node-2"].GetInt(), 2);
  EXPECT_STREQ(json["refused"][0]["field"].GetString(), "spec.order");
}

TEST_F(ReplayVerbTest, RunEndsAtTheSameDigestEachTime) {
  const auto digest = [&] {
    const auto answer = replay::Run(Request(), "node-2", false, Output::kJson);
    EXPECT_TRUE(answer.ok()) << answer.status();
    const rapidjson::Document json = Parse(answer->text);
    EXPECT_EQ(json["steps"].GetInt(), 1);
    EXPECT_GT(json["rules"].GetInt(), 10);
    return std::string(json["digest"].GetString());
  };
  EXPECT_EQ(digest(), digest());
}

TEST_F(ReplayVerbTest, SelectorShowsWhereItCannotBeRead) {
  const auto good = CheckSelector("app in {'web', 'db'}", "app=web,zone=a", Output::kText);
  EXPECT_EQ(good->status, kDone);
  EXPECT_THAT(good->text, HasSubstr("match: app in {\"db\", \"web\"} selects app=web,zone=a"));
  EXPECT_EQ(CheckSelector("app == 'x'", "app=web", Output::kText)->status, kDiffers);
  const auto bad = CheckSelector("app = 'x'", "", Output::kText);
  EXPECT_EQ(bad->status, kUnusable);
  EXPECT_THAT(bad->text, HasSubstr("app = 'x'\n    ^\nparse selector: column 5:"));
  EXPECT_FALSE(CheckSelector("all()", "nonsense", Output::kText).ok());
}

TEST_F(ReplayVerbTest, LintFindsWhatNobodyCanHaveMeant) {
  directory_.WriteInPlace("odd.yaml", R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: odd}
spec:
  tier: ghosts
  selector: app == "web"
  types: [Ingress]
  ingress:
  - {action: Allow, protocol: TCP, destination: {ports: ["1:100"]}}
  - {action: Deny, protocol: TCP, source: {nets: [10.0.0.0/8]}, destination: {ports: [80]}}
  - {action: Deny, protocol: TCP, source: {nets: [10.0.0.0/8], notNets: [10.0.0.0/7]}}
  - {action: Allow, protocol: TCP, source: {selector: app == "nobody"}, destination: {ports: [nothing]}}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: idle}
spec: {selector: app == "gone", ingress: [{action: Allow}]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--1-cni-twin-eth0, namespace: shop, labels: {app: web}}
spec: {node: node-1, orchestrator: cni, containerID: twin, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.65.0.9/32], profiles: [lost]}
)");
  const Cluster good = Read();
  EXPECT_EQ(Lint(good, JudgeOf(good), Output::kText).status, kDone)
      << Lint(good, JudgeOf(good), Output::kText).text;
  const Cluster cluster = Read({"shop.yaml", "odd.yaml"});
  const Answer answer = Lint(cluster, JudgeOf(cluster), Output::kText);
  EXPECT_EQ(answer.status, kDiffers);
  EXPECT_THAT(
      answer.text,
      AllOf(HasSubstr("missing-profile  profile/lost: 1 endpoints"),
            HasSubstr("missing-tier     gnp/odd: tier ghosts"),
            HasSubstr("never-matches    gnp/odd ingress[2]: its networks are excluded"),
            HasSubstr("no-effect        gnp/idle: no endpoint is selected"),
            HasSubstr("selects-nobody   gnp/odd ingress[3]: source selector"),
            HasSubstr("shadowed         gnp/odd ingress[1]: ingress[0] takes all"),
            HasSubstr("unknown-port     gnp/odd ingress[3]: no endpoint has a port named")));
  EXPECT_THAT(answer.text, HasSubstr("interface cali1 belongs to another endpoint"));
  EXPECT_THAT(answer.text, Not(HasSubstr("gnp/db")));
}

// A listing of the shop at revision 5, and what happened to its policy since then.
class HistoryTest : public ReplayVerbTest {
 protected:
  static std::string Pair(std::string_view key, std::string_view value, int revision) {
    return fmt::format(
        R"({{"key":"{}","mod_revision":{},"value":"{}"}})",
        absl::Base64Escape("/calico/resources/v3/projectcalico.org/" + std::string(key)), revision,
        absl::Base64Escape(std::string(value)));
  }
  static std::string Endpoint(std::string_view name, int number) {
    const std::string value = fmt::format(
        R"({{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{{)"
        R"("name":"n1-cni-{0}-eth0","namespace":"shop","labels":{{"app":"{0}"}}}},"spec":{{)"
        R"("node":"n1","orchestrator":"cni","containerID":"{0}","endpoint":"eth0",)"
        R"("interfaceName":"cali{1}","ipNetworks":["10.65.0.{1}/32"],"profiles":["open"]}}}})",
        name, number);
    return Pair(fmt::format("workloadendpoints/shop/n1-cni-{}-eth0", name), value, 5);
  }
  static std::string Policy(int port) {
    return fmt::format(
        R"({{"kind":"GlobalNetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{{)"
        R"("name":"default.db"}},"spec":{{"tier":"default","selector":"app == 'db'",)"
        R"("types":["Ingress"],"ingress":[{{"action":"Allow","protocol":"TCP","source":{{}},)"
        R"("destination":{{"ports":[{}]}}}}]}}}})",
        port);
  }
  HistoryTest() {
    std::string log = fmt::format(
        R"({{"header":{{"revision":5}},"kvs":[{},{},{}]}})"
        "\n",
        Pair("profiles/open",
             R"({"kind":"Profile","apiVersion":"projectcalico.org/v3","metadata":{"name":"open"},)"
             R"("spec":{"ingress":[{"action":"Allow"}],"egress":[{"action":"Allow"}]}})",
             5),
        Endpoint("web", 1), Endpoint("db", 2));
    const int ports[] = {5432, 5432, 5432, 80, 80, 443};
    for (int i = 0; i < 6; ++i) {
      log += fmt::format(R"({{"Header":{{"revision":99}},"Events":[{{"kv":{}}}]}})"
                         "\n",
                         Pair("globalnetworkpolicies/default.db", Policy(ports[i]), 6 + i));
    }
    directory_.WriteInPlace("log", log);
  }
};

TEST_F(HistoryTest, BisectFindsTheStepSinceWhichItIsSo) {
  const auto answer = Bisect(Request({"log"}), "deny(web, shop/db, tcp, 5432)", Output::kJson);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const rapidjson::Document json = Parse(answer->text);
  EXPECT_EQ(json["revision"].GetInt(), 9);
  EXPECT_STREQ(json["result"].GetString(), "so since revision");
  EXPECT_STREQ(json["changes"][0].GetString(), "set policy gnp/default.db");
  const auto other = Bisect(Request({"log"}), "allow(web,db,tcp,5432)", Output::kText);
  EXPECT_EQ(other->status, kDiffers);
  EXPECT_THAT(other->text, HasSubstr("not so at the end, revision 11"));
  EXPECT_THAT(Bisect(Request({"log"}), "allow(db,web,tcp,1)", Output::kText)->text,
              HasSubstr("so from the beginning, revision 5"));
  EXPECT_FALSE(Bisect(Request({"log"}), "maybe(a,b)", Output::kText).ok());
  EXPECT_FALSE(Bisect(Request(), "deny(web,db,tcp,1)", Output::kText).ok()) << "no history";
}

TEST_F(HistoryTest, WhatIsConvertedMeansTheSame) {
  InputRequest request = Request({"log"});
  request.snapshot.revision = 9;
  const auto digest = [](const InputRequest& of) {
    const auto answer = replay::Run(of, "n1", false, Output::kJson);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return std::string(Parse(answer->text)["digest"].GetString());
  };
  const std::string want = digest(request);
  directory_.WriteInPlace("all.json", Convert(request, ConvertTo::kResources)->text);
  EXPECT_EQ(digest(Request({"all.json"})), want);
  directory_.WriteInPlace("listing", Convert(request, ConvertTo::kEtcd)->text);
  EXPECT_EQ(digest(Request({"listing"})), want);
  EXPECT_NE(digest(Request({"log"})), want);
  EXPECT_THAT(std::string(Convert(Request(), ConvertTo::kEtcd).status().message()),
              HasSubstr("holds resources already"));
}

TEST(OptionTable, EachVerbAndOptionHasATextAndEachVerbAnExample) {
  CommandLine command_line;
  const auto app = MakeOptionTable(command_line);
  const auto verbs = app->get_subcommands([](const CLI::App*) { return true; });
  EXPECT_GE(verbs.size(), 11U);
  const std::string page = ManualPage(*app, "1.2.3");
  const std::string completion = BashCompletion(*app);
  for (const CLI::App* verb : verbs) {
    EXPECT_FALSE(verb->get_description().empty()) << verb->get_name();
    if (verb->get_group().empty()) continue;
    EXPECT_THAT(page,
                HasSubstr(".SH " + absl::StrReplaceAll(verb->get_name(), {{"-", "\\-"}}) + "\n"));
    EXPECT_THAT(completion, HasSubstr("    " + verb->get_name() + ") words='--"));
    EXPECT_THAT(verb->get_footer(), HasSubstr("felix-replay " + verb->get_name()));
    for (const CLI::Option* option : verb->get_options()) {
      EXPECT_FALSE(option->get_description().empty()) << verb->get_name() << option->get_name();
    }
  }
}

struct Ended {
  int status = -1;
  std::string text;  // of both streams
};
Ended Command(const std::string& arguments) {
  Ended ended;
  std::FILE* const pipe = popen((FELIX_REPLAY_BINARY " " + arguments + " 2>&1").c_str(), "r");
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) ended.text += buffer;
  ended.status = WEXITSTATUS(pclose(pipe));
  return ended;
}

TEST_F(ReplayVerbTest, ExitStatusesAreThoseThatScriptsExpect) {
  const std::string input = "-i " + directory_.Path("shop.yaml").string();
  const std::string flow = " --from lone --to db --port 5432";
  EXPECT_EQ(Command("explain " + input + flow).status, 0);
  EXPECT_EQ(Command("explain " + input + flow + " --exit-code").status, 1);
  EXPECT_EQ(Command("who-can " + input + " --to db --port 9 --exit-code").status, 1);
  EXPECT_EQ(Command("explain " + input).status, 2);
  EXPECT_EQ(Command("nonsense").status, 2);
  const Ended missing = Command("info -i /nonexistent/file");
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.text, "felix-replay: open /nonexistent/file: No such file or directory\n");
  EXPECT_EQ(Command("--help").status, 0);
}

}  // namespace
}  // namespace felix::replay
