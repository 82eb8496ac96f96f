// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/matrix.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "felix/json_line.h"
#include "felix/replay/matrix_picture.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

using ir::Direction;

constexpr std::size_t kMostWorkloads = 20'000;
// Wider than this a table of characters is of no use to anybody.
constexpr std::size_t kWidestText = 200;

// Tells addresses apart exactly as far as the rules in question can.
class AddressGroups {
 public:
  AddressGroups(const Judge& judge, const absl::btree_set<std::uint32_t>& lists) {
    for (const std::uint32_t list : lists) {
      judge.ForEachRule(list, [&](const model::PolicyRule& rule) {
        for (const model::EntityMatch* asked : {&rule.source, &rule.destination}) {
          nets_.insert(asked->nets.begin(), asked->nets.end());
          nets_.insert(asked->not_nets.begin(), asked->not_nets.end());
          uses_names_ =
              uses_names_ || !asked->ports.names.empty() || !asked->not_ports.names.empty();
        }
      });
    }
  }

  std::uint32_t GroupOf(const AddressInfo& info) {
    std::string key;
    for (const Owner& owner : info.owners) {
      key += fmt::format("{},", owner.label_class);
      if (owner.workload != nullptr && !owner.workload->out_of_force.empty()) {
        key += owner.workload->id.host + ",";
      }
      if (!uses_names_ || owner.ports == nullptr) continue;
      for (const model::NamedPort& port : *owner.ports) {
        key += fmt::format("{}:{}:{},", port.name, port.protocol.number, port.port);
      }
    }
    key += '|';
    for (const model::Cidr& net : nets_) key += net.Contains(info.address) ? '1' : '0';
    const auto next = static_cast<std::uint32_t>(groups_.size());
    return groups_.try_emplace(std::move(key), next).first->second;
  }

 private:
  absl::btree_set<model::Cidr> nets_;
  bool uses_names_ = false;
  absl::flat_hash_map<std::string, std::uint32_t> groups_;
};

// One workload's part in one family.
struct Member {
  std::size_t index = 0;
  AddressInfo info;
  std::uint32_t group = 0;
  std::uint32_t egress_list = 0;
  std::uint32_t ingress_list = 0;
  std::optional<SideDecision> egress_end;  // settled whatever policies say
  std::optional<SideDecision> ingress_end;
};

std::vector<Member> MembersOf(const Judge& judge, const std::vector<const Workload*>& workloads,
                              const Flow& flow, model::IpFamily family) {
  std::vector<Member> members;
  absl::btree_set<std::uint32_t> lists;
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const auto address = AddressOf(*workloads[i], family);
    if (!address) continue;
    Member member;
    member.index = i;
    member.info = judge.book().Look(*address);
    member.egress_list = judge.ListOf(*workloads[i], Direction::kEgress);
    member.ingress_list = judge.ListOf(*workloads[i], Direction::kIngress);
    lists.insert({member.egress_list, member.ingress_list});
    FlowEnds ends{workloads[i], workloads[i], member.info, member.info};
    member.egress_end = judge.JudgeEnd(ends, flow, Direction::kEgress);
    member.ingress_end = judge.JudgeEnd(ends, flow, Direction::kIngress);
    members.push_back(std::move(member));
  }
  AddressGroups groups(judge, lists);
  for (Member& member : members) member.group = groups.GroupOf(member.info);
  return members;
}

}  // namespace

Matrix::Matrix(const Judge& judge, std::vector<const Workload*> workloads, const Flow& flow)
    : workloads_(std::move(workloads)),
      cells_(workloads_.size() * workloads_.size(), Reach::kNone) {
  for (const model::IpFamily family : model::kIpFamilies) Fill(judge, flow, family);
}

void Matrix::Fill(const Judge& judge, const Flow& flow, model::IpFamily family) {
  const std::vector<Member> members = MembersOf(judge, workloads_, flow, family);
  // Hosts may see the same policies with other options; few do. An endpoint whose interface is none
  // of workloads' is one for all hosts but its own.
  const auto& all = judge.book().workloads();
  const bool views_differ =
      std::any_of(all.begin(), all.end(), [](const Workload& w) { return !w.interface_is_ours; });
  using Question = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::string_view>;
  absl::flat_hash_map<Question, bool> answers;
  const auto ask = [&](std::uint32_t list, const std::string& host, const Member& from,
                       const Member& to) {
    const bool own = views_differ || judge.store().configs().contains(model::ConfigId{host});
    const std::string_view view = own ? std::string_view(host) : std::string_view();
    const auto [answer, is_new] =
        answers.try_emplace(Question{list, from.group, to.group, view}, false);
    if (is_new) {
      answer->second = judge.AskList(list, host, flow, from.info, to.info, nullptr).allowed;
    }
    return answer->second;
  };
  for (const Member& from : members) {
    const std::string& from_host = workloads_[from.index]->id.host;
    for (const Member& to : members) {
      Reach& cell = cells_[from.index * workloads_.size() + to.index];
      if (cell != Reach::kNone) continue;
      const bool leaves =
          from.egress_end ? from.egress_end->allowed : ask(from.egress_list, from_host, from, to);
      const bool arrives =
          leaves &&
          (to.ingress_end ? to.ingress_end->allowed
                          : ask(to.ingress_list, workloads_[to.index]->id.host, from, to));
      cell = arrives ? Reach::kYes : Reach::kNo;
    }
  }
}

std::size_t Matrix::Count(Reach reach) const {
  return static_cast<std::size_t>(std::count(cells_.begin(), cells_.end(), reach));
}

absl::StatusOr<std::vector<const Workload*>> SelectWorkloads(const AddressBook& book,
                                                             const std::string& selector) {
  FELIX_ASSIGN_OR_RETURN(const model::Selector parsed, model::Selector::Parse(selector));
  std::vector<const Workload*> selected;
  for (const Workload& workload : book.workloads()) {
    if (book.Selects(parsed, workload.label_class)) selected.push_back(&workload);
  }
  if (selected.size() > kMostWorkloads) {
    return absl::InvalidArgumentError(
        fmt::format("a matrix of {} workloads is more than {}: choose some with --selector",
                    selected.size(), kMostWorkloads));
  }
  return selected;
}

absl::StatusOr<Answer> ShowMatrix(const Judge& judge, const std::string& selector,
                                  const FlowRequest& request, Output output) {
  FELIX_ASSIGN_OR_RETURN(const Flow flow, ParseFlow(request));
  FELIX_ASSIGN_OR_RETURN(std::vector<const Workload*> workloads,
                         SelectWorkloads(judge.book(), selector));
  const Matrix matrix(judge, std::move(workloads), flow);
  const std::string title = fmt::format(
      "Who reaches whom, {}{}", flow.protocol.ToString(),
      flow.protocol.HasPorts() ? fmt::format("/{}", flow.destination_port) : std::string());
  if (output == Output::kSvg) return Answer{MatrixSvg(matrix, title), kDone};
  if (output == Output::kHtml) return Answer{MatrixHtml(matrix, title), kDone};
  const std::size_t size = matrix.workloads().size();
  const bool leaves_out = judge.LeavesOutHostEndpoints(matrix.workloads());
  const auto row = [&](std::size_t from) {
    std::string text;
    for (std::size_t to = 0; to < size; ++to) {
      const Reach reach = matrix.At(from, to);
      text += reach == Reach::kYes ? '#' : (reach == Reach::kNo ? '.' : ' ');
    }
    return text;
  };
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/matrix/1");
    json.Field("protocol", flow.protocol.ToString());
    json.Field("port", static_cast<std::uint64_t>(flow.destination_port));
    json.Key("workloads").BeginArray();
    for (const Workload* workload : matrix.workloads()) json.Element(workload->id.ToString());
    json.EndArray();
    json.Key("rows").BeginArray();
    for (std::size_t from = 0; from < size; ++from) json.Element(row(from));
    json.EndArray();
    if (leaves_out) json.Flag("host_endpoints_not_asked", true);
    json.EndObject();
    return Answer{json.Text() + "\n", kDone};
  }
  std::string text;
  if (size <= kWidestText) {
    for (std::size_t from = 0; from < size; ++from) {
      text += fmt::format("{} {:>4} {}\n", row(from), from, NameOf(*matrix.workloads()[from]));
    }
  }
  text += fmt::format("{} workloads, {} pairs allowed (#), {} denied (.)\n", size,
                      matrix.Count(Reach::kYes), matrix.Count(Reach::kNo));
  if (leaves_out) text += kHostEndpointsNote;
  return Answer{std::move(text), kDone};
}

absl::StatusOr<Answer> WhoCan(const Judge& judge, const FlowRequest& request, Output output) {
  FELIX_ASSIGN_OR_RETURN(const Flow flow, ParseFlow(request));
  std::vector<const Workload*> allowed;
  std::size_t denied = 0;
  bool leaves_out = false;
  FELIX_ASSIGN_OR_RETURN(const End to, FindEnd(judge.book(), request.to));
  for (const Workload& workload : judge.book().workloads()) {
    const std::optional<FlowEnds> ends = Join(judge.book(), {&workload, std::nullopt}, to);
    if (!ends) continue;
    const std::array<const Workload*, 2> both = {ends->from, ends->to};
    leaves_out = leaves_out || judge.LeavesOutHostEndpoints(both);
    const bool may = judge.AskEgress(*ends, flow, nullptr).allowed &&
                     judge.AskIngress(*ends, flow, nullptr).allowed;
    if (may) allowed.push_back(&workload);
    denied += may ? 0 : 1;
  }
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/who-can/1");
    json.Key("allowed").BeginArray();
    for (const Workload* workload : allowed) json.Element(workload->id.ToString());
    json.EndArray();
    json.Field("denied", denied);
    if (leaves_out) json.Flag("host_endpoints_not_asked", true);
    json.EndObject();
    return Answer{json.Text() + "\n", allowed.empty() ? kDiffers : kDone};
  }
  std::string text;
  for (const Workload* workload : allowed) text += NameOf(*workload) + "\n";
  text += fmt::format("{} of {} workloads\n", allowed.size(), allowed.size() + denied);
  if (leaves_out) text += kHostEndpointsNote;
  return Answer{std::move(text), allowed.empty() ? kDiffers : kDone};
}

}  // namespace felix::replay
