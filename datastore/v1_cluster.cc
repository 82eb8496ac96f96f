// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_cluster.h"

#include "fmt/format.h"

#include "datastore/client_defaults.h"
#include "datastore/v1_endpoint.h"
#include "datastore/v1_key.h"
#include "datastore/v1_policy.h"
#include "datastore/v1_rule.h"
#include "datastore/v3_endpoint.h"
#include "datastore/v3_entity.h"

namespace felix::datastore {

model::Tier ReadV1Tier(const Field& field, Faults& faults) {
  ObjectReader object(field, faults);
  model::Tier tier;
  tier.order = ReadV1Order(object).value_or(std::nullopt);
  object.RefuseMisspelt();
  return tier;
}

model::NetworkSet ReadV1NetworkSet(const Field& field, const std::string& namespace_name,
                                   Faults& faults) {
  ObjectReader object(field, faults);
  model::NetworkSet set;
  std::vector<EntityNet> places;
  set.nets = ReadNets(object.List("nets"), faults, places);
  set.labels = ReadV1Labels(object, "labels");
  ForceNetworkSetLabels(set.labels, namespace_name);
  set.profiles = ReadProfileNames(object, "profile_ids");
  object.RefuseMisspelt();
  return set;
}

model::Profile ReadV1ProfileRules(const Field& field, Faults& faults) {
  ObjectReader object(field, faults);
  model::Profile profile;
  const RuleOwner owner{"", true};
  profile.ingress = ReadV1Rules(object, "inbound_rules", owner);
  profile.egress = ReadV1Rules(object, "outbound_rules", owner);
  // The key names the profile.
  static_cast<void>(object.String("id"));
  object.RefuseUnknown();
  return profile;
}

model::Profile ReadV1ProfileLabels(const Field& field, Faults& faults) {
  // The labels are the whole value, so they are read as if they were a member of it.
  DocumentNode parent = DocumentNode::Object(field.node->position());
  parent.AddMember("labels", *field.node);
  const Field wrapped{&parent, ""};
  ObjectReader object(wrapped, faults);
  model::Profile profile;
  profile.labels_to_apply = ReadV1Labels(object, "labels");
  ForceProfileLabels(profile.labels_to_apply);
  return profile;
}

model::Profile ReadV1ProfileTags(const Field& field, Faults& faults) {
  model::Profile profile;
  if (field.node->kind() != DocumentNode::Kind::kList) {
    faults.Add(*field.node, field.path,
               fmt::format("is {}, not a list", Describe(field.node->kind())));
    return profile;
  }
  std::vector<model::LabelSet::Entry> labels;
  for (std::size_t i = 0; i < field.node->children().size(); ++i) {
    const Field element = field.Element(i);
    std::optional<std::string> tag = ReadString(element, faults);
    if (!tag) continue;
    if (const auto problem = CheckV1Name("tag", *tag)) {
      faults.Add(*element.node, element.path, *problem);
    }
    labels.emplace_back(*std::move(tag), "");
  }
  profile.labels_to_apply = model::LabelSet(std::move(labels));
  return profile;
}

model::Profile MergeV1Profile(const model::Profile& rules, const model::Profile& labels,
                              const model::Profile& tags) {
  model::Profile profile = rules;
  profile.labels_to_apply = labels.labels_to_apply;
  profile.labels_to_apply.Inherit(tags.labels_to_apply);
  return profile;
}

}  // namespace felix::datastore
