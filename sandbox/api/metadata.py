"""entityInformation: what an entity can do, its fields, picklists and user-defined fields."""

from __future__ import annotations

from typing import Any

from sandbox.api.context import Context
from sandbox.api.messages import Answer, answer_json
from sandbox.schema import ENTITIES, Entity, Field
from sandbox.world import World


def information(entity: Entity) -> dict[str, Any]:
    """EntityInformationModel; access levels are 0 None, 1 All."""
    can = {
        "Create": "c" in entity.can,
        "Delete": "d" in entity.can,
        "Query": True,
        "Update": "u" in entity.can,
    }
    return {
        "name": entity.single,
        **{f"can{verb}": allowed for verb, allowed in can.items()},
        **{f"userAccessFor{verb}": int(allowed) for verb, allowed in can.items()},
        "hasUserDefinedFields": entity.has_udf,
        "supportsWebhookCallouts": entity.name in ("Companies", "Contacts"),
    }


def entity_information(context: Context) -> Answer:
    return answer_json({"info": information(context.kind)})


def all_entities(context: Context) -> Answer:
    return answer_json({"info": [information(entity) for entity in ENTITIES.values()]})


def fields(context: Context) -> Answer:
    entity, world = context.kind, context.world
    shown = [one for one in entity.fields.values() if one.type != "udf"]
    return answer_json({"fields": [field_information(world, entity, one) for one in shown]})


def field_information(world: World, entity: Entity, field: Field) -> dict[str, Any]:
    """FieldInformationModel. Picklist values are text, also for numbers."""
    found = {
        "name": field.name,
        "dataType": field.type,
        "length": field.max or 0,
        "isRequired": field.required,
        "isReadOnly": field.read_only,
        "isQueryable": field.queryable,
        "isReference": bool(field.ref),
        "referenceEntityType": ENTITIES[field.ref].single if field.ref in ENTITIES else field.ref,
        "isPickList": field.picklist,
        "picklistValues": picklist(world, entity, field),
        "picklistParentValueField": "",
        "isSupportedWebhookField": False,
    }
    if found["picklistValues"] is None and world.switches.picklist_values == "absent":
        del found["picklistValues"]
    return found


def picklist(world: World, entity: Entity, field: Field) -> list[dict[str, Any]] | None:
    """The values of a picklist field, or None where the field is none."""
    if not field.picklist:
        return None
    choices = world.db.picklists.get((entity.name, field.name), [])
    return [
        {
            "value": str(value),
            "label": label,
            "isDefaultValue": at == 0,
            "sortOrder": at + 1,
            "parentValue": "",
            "isActive": True,
            "isSystem": value < 100,
        }
        for at, (value, label) in enumerate(choices)
    ]


def user_defined_fields(context: Context) -> Answer:
    return answer_json({"fields": context.world.db.udf_definitions[context.kind.name]})
