"""The faces: how calls reach the appliance, who may make them, and how answers go back."""
