"""What a learner makes of `experience` solves the task over the graph; the planner alone does not."""

import numpy as np
from harness import LATCHED, Graph
from std_msgs.msg import Float64MultiArray, String, UInt8MultiArray

from polo_ros.learner.experience import experience_schema
from polo_ros.learner.weights import decode_value
from polo_ros.nodes.messages import pack_experience, unpack_bytes, unpack_experience
from polo_ros.tasks import make_task

TASK = make_task("cartpole_swingup")
# too short for the planner alone to swing the pole up
HORIZON = 8
# of an episode: 4 s
PERIODS = 200
UPDATES = 6
TRANSITIONS = 1000
LEARNER = {
    "update_period": TRANSITIONS, "target_states": 64, "warmup_labels": 64, "gradient_steps": 256,
    "target_horizon": 64, "target_iterations": 3, "learning_rate": 0.003,
}  # fmt: skip


def scattered_transitions(rng: np.random.Generator) -> Float64MultiArray:
    """Transitions from everywhere, each an episode of its own."""
    states = rng.uniform([-1.0, 0.0, -2.0, -8.0], [1.0, 2.0 * np.pi, 2.0, 8.0], (TRANSITIONS, 4))
    controls = rng.uniform(-1.0, 1.0, (TRANSITIONS, 1))
    rewards = TASK.reward(TASK.observe(states, controls))
    message = pack_experience(0.0, 0, states[0], controls[0], rewards[0])
    for index in range(1, TRANSITIONS):
        message.data.extend(pack_experience(0.0, index, states[index], controls[index], rewards[index]).data)
    return message


def learn(graph: Graph) -> None:
    """Give a learner all transitions of an update at a time, and wait for its weights."""
    weights = graph.record(UInt8MultiArray, "value_function/weights", LATCHED)
    schema = graph.node.create_publisher(String, "experience/schema", LATCHED)
    schema.publish(String(data=experience_schema(TASK, ["slider", "hinge"])))
    experience = graph.node.create_publisher(Float64MultiArray, "experience", 100)
    graph.start("learner_node", **LEARNER)
    graph.wait(experience.get_subscription_count, "the learner")
    rng = np.random.default_rng(0)
    for update in range(1, UPDATES + 1):
        experience.publish(scattered_transitions(rng))
        graph.wait(
            lambda update=update: (
                weights and decode_value(unpack_bytes(weights[-1]), TASK)[1].sequence == update
            ),
            f"the weights of update {update}",
        )
    graph.node.destroy_publisher(experience)
    graph.node.destroy_publisher(schema)


def final_reward(graph: Graph, value_weight: float) -> float:
    """The mean reward of an episode's second half, in lockstep."""
    rewards: list[float] = []
    subscription = graph.node.create_subscription(
        Float64MultiArray, "experience",
        lambda message: rewards.extend(unpack_experience(message, TASK)["reward"]), 100,
    )  # fmt: skip
    graph.start("planner_node", autostart=True, horizon=HORIZON, value_weight=value_weight)
    graph.wait(
        lambda: graph.reported("planner_node", "weights_sequence") == UPDATES, "planner with the weights"
    )
    graph.start("simulator_node")
    graph.wait(lambda: len(rewards) >= PERIODS, "an episode")
    for node in ("simulator_node", "planner_node"):
        assert graph.end(node) == 0
        graph.statuses.pop(node, None)
    graph.node.destroy_subscription(subscription)
    return float(np.mean(rewards[PERIODS // 2 : PERIODS]))


def test_learned_values_solve_what_the_planner_alone_does_not(graph: Graph) -> None:
    learn(graph)
    alone, with_values = final_reward(graph, 0.0), final_reward(graph, 1.0)
    assert alone < 0.5
    assert with_values > 0.9
